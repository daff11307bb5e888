import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { useZone } from "../state/settings";
import { grouped } from "../text/number";
import { tickText, type Zone } from "../text/time";

export interface Series {
  name: string;
  colour: string;
  values: (number | null)[];
}

export interface ChartProps {
  label: string;
  /** Seconds since 1970. */
  times: number[];
  series: Series[];
  kind: "stacked" | "area" | "lines";
  /** How much time a bar stands for, in seconds; it is drawn around the time at which that begins. */
  step?: number;
  height?: number;
  onBrush?: (from: number, to: number) => void;
  onHover?: (place: number | undefined) => void;
}

function timeLabels(zone: Zone) {
  return (_: uPlot, splits: number[], __: number, ___: number, step: number) =>
    splits.map((seconds) => tickText(new Date(seconds * 1000), zone, step));
}

function stacked(series: Series[]): (number | null)[][] {
  const sums: (number | null)[][] = [];
  for (const { values } of series) {
    const below = sums.at(-1);
    sums.push(values.map((value, i) => (value ?? 0) + (below?.[i] ?? 0)));
  }
  return sums;
}

function colourOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function drawnSeries({ kind, series }: ChartProps): uPlot.Series[] {
  return series.map(({ name, colour }) => {
    const paint = colourOf(colour);
    if (kind === "stacked") {
      const bars = uPlot.paths.bars?.({ size: [0.82, 64] });
      return { label: name, fill: paint, width: 0, points: { show: false }, ...(bars ? { paths: bars } : {}) };
    }
    return {
      label: name,
      stroke: paint,
      width: 1.5,
      points: { show: false },
      ...(kind === "area" ? { fill: `${paint}22` } : {}),
    };
  });
}

function options(props: ChartProps, width: number, zone: Zone): uPlot.Options {
  const { onBrush, onHover } = props;
  const axis: uPlot.Axis = {
    stroke: colourOf("quiet"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: colourOf("rule"), width: 1 },
    ticks: { show: false },
  };
  const drawn = drawnSeries(props);
  const step = props.step ?? 0;
  return {
    width,
    height: props.height ?? 220,
    legend: { show: false },
    tzDate: (seconds) =>
      zone === "utc" ? uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC") : new Date(seconds * 1000),
    cursor: { y: false, points: { show: false }, drag: { x: onBrush !== undefined, y: false, setScale: false } },
    scales: {
      x: { time: true, range: (_, min, max) => [min - step / 2, Math.max(max + step / 2, min + 1)] },
      y: { range: (_, __, max) => [0, Math.max(1, max * 1.06)] },
    },
    axes: [
      { ...axis, size: 28, space: 76, grid: { show: false }, values: timeLabels(zone) },
      {
        ...axis,
        size: 58,
        values: (_, splits) => splits.map((value) => (Number.isInteger(value) ? grouped(value) : "")),
      },
    ],
    series: [{}, ...(props.kind === "stacked" ? drawn.reverse() : drawn)],
    hooks: {
      setCursor: [
        (plot) =>
          onHover?.(
            plot.cursor.left !== undefined && plot.cursor.left >= 0 ? (plot.cursor.idx ?? undefined) : undefined,
          ),
      ],
      setSelect: [
        (plot) => {
          if (!onBrush || plot.select.width < 4) return;
          const [from, to] = [plot.select.left, plot.select.left + plot.select.width].map((left) =>
            plot.posToVal(left, "x"),
          );
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          if (from !== undefined && to !== undefined) onBrush(from + step / 2, to + step / 2);
        },
      ],
    },
  };
}

export function Chart(props: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const zone = useZone();
  const scheme = useComputedColorScheme();
  const { times, series, kind } = props;

  // biome-ignore lint/correctness/useExhaustiveDependencies: another colour scheme needs another drawing
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const values = kind === "stacked" ? stacked(series).reverse() : series.map((one) => one.values);
    const live: ChartProps = {
      ...latest.current,
      onHover: (at) => latest.current.onHover?.(at),
      ...(latest.current.onBrush ? { onBrush: (from, to) => latest.current.onBrush?.(from, to) } : {}),
    };
    const plot = new uPlot(options(live, element.clientWidth, zone), [times, ...values] as uPlot.AlignedData, element);
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: plot.height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [times, series, kind, zone, scheme]);

  return (
    <div ref={place} className="chart" role="img" aria-label={props.label} style={{ minHeight: props.height ?? 220 }} />
  );
}
