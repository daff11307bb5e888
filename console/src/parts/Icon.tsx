const PATHS = {
  overview: "M2.5 13.5h11M4 11V7.5M8 11V3M12 11V5.5",
  trail: "M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.01M2.5 8h.01M2.5 12h.01",
  sql: "M6 4.5 2.5 8 6 11.5M10 4.5 13.5 8 10 11.5",
  integrity: "M8 1.8 13 3.6v4c0 3.2-2.1 5.5-5 6.6-2.9-1.1-5-3.4-5-6.6v-4zM5.8 7.9l1.6 1.6 2.9-3.2",
  access: "M5.5 8a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5M7.3 8.7 13 3M10.6 5.4l2 2",
  check: "M3 8.5 6.5 12 13 4.5",
  cross: "M4 4l8 8M12 4l-8 8",
  dash: "M4 8h8",
  warn: "M8 2.2 14.3 13H1.7zM8 6.5v3M8 11.3v.01",
  octagon: "M5.4 1.8h5.2l3.6 3.6v5.2l-3.6 3.6H5.4l-3.6-3.6V5.4zM8 4.8v3.7M8 11.1v.01",
  diamond: "M8 1.8 14.2 8 8 14.2 1.8 8z",
  ring: "M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3",
  alerts: "M3.5 11.5h9L11.3 10V7a3.3 3.3 0 0 0-6.6 0v3zM6.7 13.8h2.6",
  review: "M4 2.5h8v11H4zM6.3 6h3.4M6.3 10.1l1.1 1.1 2.3-2.4",
  overrides: "M13 6.5H6a3.2 3.2 0 0 0 0 6.4h2M10 3.5l3 3-3 3",
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
  light:
    "M8 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6M8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M12.6 3.4l-.7.7M4.1 11.9l-.7.7",
  dark: "M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5",
  system: "M2 3h12v8H2zM5.5 13.5h5",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.5 12.5 8 5 12.5z",
  arrow: "M3 8h10M9 4l4 4-4 4",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, label }: { name: IconName; label?: string }) {
  const named = label ? { role: "img", "aria-label": label } : { "aria-hidden": true };
  return (
    // biome-ignore lint/a11y/noSvgWithoutTitle: it is named by its label, or is decoration
    <svg
      className="icon"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      {...named}
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Mark() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect x="2" y="5" width="28" height="22" rx="3" fill="currentColor" />
      <path d="M12 5v22" stroke="var(--paper)" strokeWidth="2" strokeDasharray="2 2.4" />
      <path d="M16.5 12h9M16.5 16h9M16.5 20h5.5" stroke="var(--paper)" strokeWidth="2" strokeLinecap="round" />
    </svg>
  );
}
