/** The chart of the Overview. The numbers stand in a table as well: nobody has to read them off a picture. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { useSpeech } from '../../language.ts';
import { lazily } from '../../lazily.ts';
import { countOf, type Drawn, type Series } from '../../statistics.ts';

const heightPx = 280;

/** Changes with the colours of the page: what is painted has to be painted again. */
function useColours(): number {
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const change = () => setVersion((before) => before + 1);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const observer = new MutationObserver(change);
    observer.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    dark.addEventListener('change', change);
    return () => {
      observer.disconnect();
      dark.removeEventListener('change', change);
    };
  }, []);
  return version;
}

/** A colour of the style sheet as a canvas takes it. */
function colourIn(place: HTMLElement, name: string): string {
  place.style.color = `var(--${name})`;
  const { color } = getComputedStyle(place);
  place.style.color = '';
  return color;
}

export function Chart({ series, shown }: { readonly series: Series; readonly shown: readonly Drawn[] }) {
  const { words, language } = useSpeech();
  const place = useRef<HTMLDivElement>(null);
  const colours = useColours();
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    let gone = false;
    let clear = () => {};
    const draw = async () => {
      const { default: UPlot } = await lazily(() => import('./uplot.ts'));
      if (gone) return;
      const soft = colourIn(element, 'soft');
      const line = { stroke: colourIn(element, 'line'), width: 1 };
      const times = series.intervals.map(({ start }) => Date.parse(start) / 1000);
      const format =
        series.interval === 'hour'
          ? ({ hour: '2-digit', minute: '2-digit' } as const)
          : ({ day: 'numeric', month: 'short' } as const);
      const axis = { stroke: soft, grid: line, ticks: line, font: '12px system-ui, sans-serif' };
      const chart = new UPlot(
        {
          width: element.clientWidth,
          height: heightPx,
          legend: { show: false },
          // The last label of the axis stands half beyond the last point.
          padding: [null, 28, null, null],
          scales: { y: { range: (_chart, _low, high) => [0, Math.max(1, high * 1.08)] } },
          axes: [
            {
              ...axis,
              space: 70,
              // No day and no hour twice.
              incrs: (series.interval === 'hour' ? [1, 2, 3, 6, 12] : [24, 48, 168, 336, 720, 2160]).map(
                (h) => h * 3600,
              ),
              values: (_chart, ticks) =>
                ticks.map((at) => new Date(at * 1000).toLocaleString(language, format)),
            },
            {
              ...axis,
              size: 52,
              incrs: [
                1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 1e7,
                1e8,
              ],
              values: (_chart, ticks) =>
                ticks.map((value) => value.toLocaleString(language, { notation: 'compact' })),
            },
          ],
          series: [
            {},
            ...shown.map((what) => ({
              label: words.overview.names[what],
              stroke: colourIn(element, `series-${what}`),
              width: 2,
              points: { show: series.intervals.length < 40 },
            })),
          ],
        },
        [times, ...shown.map((what) => series.intervals.map((interval) => countOf(interval, what)))],
        element,
      );
      const observer = new ResizeObserver(() =>
        chart.setSize({ width: element.clientWidth, height: heightPx }),
      );
      observer.observe(element);
      clear = () => {
        observer.disconnect();
        chart.destroy();
      };
    };
    // Without a chart the numbers are still there, in words and in the table.
    void draw().catch(() => undefined);
    return () => {
      gone = true;
      clear();
    };
  }, [series, shown, language, colours]);
  return <div ref={place} class="chart" role="img" aria-label={words.overview.chart} />;
}
