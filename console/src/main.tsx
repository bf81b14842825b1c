/** The console's beginning: puts the application into the page. */
import './style.css';
import { render } from 'preact';
import { App } from './app.tsx';
import { showTheme } from './theme.ts';

const place = document.getElementById('app');
if (place === null) throw new Error('the document has no place for the console');
showTheme();
render(<App />, place);
