/** The library that draws, with its style sheet: loaded when a chart is drawn. */
import 'uplot/dist/uPlot.min.css';

export { default } from 'uplot';
