// Stacked bars over time, drawn by uPlot, in the theme's colours. What one reads off them with the mouse is there by keyboard: the
// chart is a slider whose value is the bar under it.
import 'uplot/dist/uPlot.min.css';
import { useCallback, useEffect, useRef, useState, useSyncExternalStore, type KeyboardEvent, type PointerEvent, type ReactNode } from 'react';
import uPlot from 'uplot';
import { useStore } from '../lib/store.ts';
import { theme } from '../lib/theme.ts';
import { useWidth } from '../lib/width.ts';

export type Series = {
  label: string;
  color: string; // a custom property of the theme, such as --high
  hatched?: boolean; // told apart without its colour, too
  values: number[];
};

type Props = {
  label: string;
  times: number[]; // when each bar begins, in ms; all are equally long
  step: number; // ms
  utc: boolean; // the axis tells the days of UTC
  series: Series[]; // from the bottom up
  describe: (index: number) => string;
  tooltip: (index: number) => ReactNode;
  onOpen: (index: number) => void;
};

type Area = { left: number; top: number; width: number; height: number };

const height = 210;

export default function Chart({ label, times, step, utc, series, describe, tooltip, onOpen }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const width = useWidth(box);
  const [area, setArea] = useState<Area | null>(null);
  const [index, setIndex] = useState<number | null>(null);
  const shown = index !== null && index < times.length ? index : null;
  const paints = series.map(({ color, hatched }) => `${color} ${hatched ? 'hatched' : ''}`).join(',');

  const known = width > 0;
  useEffect(() => {
    if (!known || !canvas.current) return;
    const bars = uPlot.paths.bars!({ size: [0.8, 46, 1] });
    const made = new uPlot(
      {
        width: canvas.current.clientWidth,
        height,
        padding: [8, 20, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        select: { show: false, left: 0, top: 0, width: 0, height: 0 },
        tzDate: (seconds) => (utc ? uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC') : new Date(seconds * 1000)),
        scales: {
          x: { time: true, range: (u) => [u.data[0][0]! - step / 2000, u.data[0].at(-1)! + step / 2000] },
          y: { range: (_, __, most) => [0, Math.max(most * 1.06, 4)] },
        },
        axes: [
          { ...axis(), grid: { show: false }, space: 64, size: 32, incrs: increments.filter((seconds) => seconds * 1000 >= step), values: (_, splits, __, ___, increment) => splits.map((at) => tick(at * 1000, increment, utc)) },
          { ...axis(), ticks: { show: false }, size: 44, space: 34, incrs: counts, values: (_, splits) => splits.map((n) => short.format(n)) },
        ],
        // The whole stack first, then what is below its top, and so on.
        series: [{}, ...paints.split(',').reverse().map((paint) => ({ paths: bars, points: { show: false }, width: 0, fill: () => ink(paint) }))],
        hooks: {
          draw: [
            (u) => {
              const ratio = uPlot.pxRatio;
              const next = { left: u.bbox.left / ratio, top: u.bbox.top / ratio, width: u.bbox.width / ratio, height: u.bbox.height / ratio };
              setArea((before) => (before && JSON.stringify(before) === JSON.stringify(next) ? before : next));
            },
          ],
        },
      },
      [[], ...paints.split(',').map(() => [])] as unknown as uPlot.AlignedData,
      canvas.current,
    );
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
    };
  }, [known, step, utc, paints]);

  useEffect(() => {
    plot.current?.setData([times.map((at) => (at + step / 2) / 1000), ...stacked(series)] as uPlot.AlignedData);
  }, [times, series, step, known, utc, paints]);

  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height });
  }, [width]);

  const look = useLook();
  useEffect(() => {
    plot.current?.redraw();
  }, [look]);

  const at = useCallback(
    (event: PointerEvent<HTMLElement>) => {
      const { left, width } = event.currentTarget.getBoundingClientRect();
      return Math.min(Math.max(Math.floor(((event.clientX - left) / width) * times.length), 0), times.length - 1);
    },
    [times.length],
  );
  const before = useRef<number | null>(null); // what was shown when the finger came down
  const onKeyDown = (event: KeyboardEvent) => {
    const from = shown ?? times.length - 1;
    const to = { ArrowLeft: from - 1, ArrowDown: from - 1, ArrowRight: from + 1, ArrowUp: from + 1, PageDown: from - 10, PageUp: from + 10, Home: 0, End: times.length - 1 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (to !== undefined) setIndex(Math.min(Math.max(to, 0), times.length - 1));
    else if (event.key === 'Escape') setIndex(null);
    else if (event.key === 'Enter' && shown !== null) onOpen(shown);
    else return;
    event.preventDefault();
  };

  const middle = shown !== null && area ? area.left + ((shown + 0.5) / times.length) * area.width : 0;
  return (
    <div ref={box} className="chart" style={{ height }}>
      <div ref={canvas} className="chart-canvas" aria-hidden="true" />
      {area && (
        <div
          className="chart-slider"
          role="slider"
          tabIndex={0}
          aria-label={label}
          aria-valuemin={1}
          aria-valuemax={times.length}
          aria-valuenow={(shown ?? times.length - 1) + 1}
          aria-valuetext={describe(shown ?? times.length - 1)}
          aria-keyshortcuts="Enter"
          style={area}
          onKeyDown={onKeyDown}
          onFocus={(event) => event.currentTarget.matches(':focus-visible') && setIndex(shown ?? times.length - 1)}
          onBlur={() => setIndex(null)}
          onPointerDown={(event) => {
            before.current = shown;
            setIndex(at(event));
          }}
          onPointerMove={(event) => setIndex(at(event))}
          onPointerLeave={(event) => event.pointerType === 'mouse' && setIndex(null)}
          onClick={(event) => {
            const pointer = event as unknown as PointerEvent<HTMLElement>;
            // A finger first sees what it is about; the second time it means it.
            if (pointer.pointerType === 'mouse' || before.current === at(pointer)) onOpen(at(pointer));
          }}
        >
          {shown !== null && <span className="chart-band" style={{ left: `${(shown / times.length) * 100}%`, width: `${100 / times.length}%` }} />}
        </div>
      )}
      {shown !== null && area && (
        <div className={middle > width / 2 ? 'chart-tooltip to-left' : 'chart-tooltip'} style={{ left: middle, top: area.top }} aria-hidden="true">
          {tooltip(shown)}
        </div>
      )}
    </div>
  );
}

// uPlot draws one series over the other: each stands on the sum of those below. The tallest comes first.
function stacked(series: Series[]): number[][] {
  const sums: number[][] = [];
  for (const { values } of series) {
    const below = sums.at(-1);
    sums.push(values.map((value, i) => value + (below?.[i] ?? 0)));
  }
  return sums.reverse();
}

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;
const increments = [minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 4 * day, 7 * day, 14 * day];
const counts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((power) => [1, 2, 5].map((n) => n * 10 ** power));
const short = new Intl.NumberFormat('en-GB', { notation: 'compact' });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const date = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const utcDate = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });

// A day where one begins, else the time.
function tick(at: number, increment: number, utc: boolean) {
  if (utc) return utcDate.format(at);
  const text = clock.format(at);
  return increment >= day || text === '00:00' ? date.format(at) : text;
}

const themed = (property: string) => getComputedStyle(document.documentElement).getPropertyValue(property).trim();

const axis = () => ({
  stroke: () => themed('--muted'),
  grid: { stroke: () => themed('--line'), width: 1 },
  ticks: { stroke: () => themed('--line'), width: 1, size: 4 },
  border: { show: false },
  font: `11px ${themed('--sans')}`,
});

// The colour, with stripes where it is hatched.
function ink(paint: string): string | CanvasPattern {
  const [property = '', hatched] = paint.split(' ');
  const color = themed(property);
  if (!hatched) return color;
  const tile = document.createElement('canvas');
  const size = Math.round(6 * devicePixelRatio);
  tile.width = size;
  tile.height = size;
  const context = tile.getContext('2d');
  if (!context) return color;
  context.fillStyle = color;
  context.fillRect(0, 0, size, size);
  context.strokeStyle = themed('--panel');
  context.globalAlpha = 0.45;
  context.lineWidth = size / 4;
  for (const shift of [-size, 0, size]) {
    context.moveTo(shift - 1, size + 1);
    context.lineTo(shift + size + 1, -1);
  }
  context.stroke();
  return context.createPattern(tile, 'repeat') ?? color;
}

// Changes when the colours do.
const dark = matchMedia('(prefers-color-scheme: dark)');
const followSystem = (changed: () => void) => {
  dark.addEventListener('change', changed);
  return () => dark.removeEventListener('change', changed);
};
function useLook() {
  const chosen = useStore(theme);
  const system = useSyncExternalStore(followSystem, () => dark.matches);
  return `${chosen} ${system}`;
}
