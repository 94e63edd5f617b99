// Line icons, drawn on 16 × 16.
const paths = {
  overview: "M2.5 2.5h4.5v6H2.5zM9 2.5h4.5v3.5H9zM9 8h4.5v5.5H9zM2.5 10.5h4.5v3H2.5z",
  jobs: "M8 1.8 13.8 5v6L8 14.2 2.2 11V5zM2.4 5.1 8 8.2l5.6-3.1M8 8.2v5.8",
  nodes: "M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01",
  topology: "M2.5 2.5h3v3h-3zM6.5 2.5h3v3h-3zM10.5 2.5h3v3h-3zM2.5 6.5h3v3h-3zM6.5 6.5h3v3h-3zM10.5 6.5h3v3h-3zM2.5 10.5h3v3h-3zM6.5 10.5h3v3h-3z",
  evaluations: "M4 3.5a1.5 1.5 0 1 0 0 .01M12 8a1.5 1.5 0 1 0 0 .01M4 12.5a1.5 1.5 0 1 0 0 .01M5.5 3.5H8L10.5 8 8 12.5H5.5",
  events: "M1.5 8.5h3l2-5.5 3.2 10 2-4.5h2.8",
  servers: "M8 1.5v3M3.5 4.5h9v7h-9zM5.5 14h5M8 11.5V14M6 7h.01M8 7h.01M10 7h.01",
  settings: "M8 5.7a2.3 2.3 0 1 0 0 4.6 2.3 2.3 0 0 0 0-4.6M8 1.5v2M8 12.5v2M1.5 8h2M12.5 8h2M3.4 3.4l1.4 1.4M11.2 11.2l1.4 1.4M3.4 12.6l1.4-1.4M11.2 4.8l1.4-1.4",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.3 10.3l3.4 3.4",
  copy: "M5.5 5.5h7.5V13H5.5zM10.5 5.5V3H3v7.5h2.5",
  check: "M3 8.5 6.5 12 13 4.5",
  close: "M4 4l8 8M12 4l-8 8",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  download: "M8 2.5v8M4.8 7.4 8 10.6l3.2-3.2M2.8 13.4h10.4",
  down: "M4.5 6.5 8 10l3.5-3.5",
  right: "M6.5 4.5 10 8l-3.5 3.5",
  plus: "M8 3v10M3 8h10",
  pools: "M8 1.8 14.2 5 8 8.2 1.8 5zM1.8 8 8 11.2 14.2 8M1.8 11 8 14.2 14.2 11",
  minus: "M3 8h10",
  play: "M5 3.2v9.6L12.5 8z",
  stop: "M4 4h8v8H4z",
  restart: "M13 8a5 5 0 1 1-1.5-3.6M13 2.3v2.9h-2.9",
  trash: "M3 4.5h10M6.3 4.5V2.8h3.4v1.7M4.3 4.5l.6 8.7h6.2l.6-8.7",
  file: "M4 2h5l3 3v9H4zM9 2v3h3",
  folder: "M2 4h4.2l1.4 1.8H14V12.5H2z",
  terminal: "M2 3h12v10H2zM4.5 6l2 2-2 2M8 10.2h3",
  logs: "M3 4h10M3 7h7M3 10h10M3 13h5",
  help: "M8 14.2a6.2 6.2 0 1 0 0-12.4 6.2 6.2 0 0 0 0 12.4M6.3 6.3a1.8 1.8 0 1 1 2.6 1.6c-.6.3-.9.6-.9 1.3M8 11.4h.01",
  why: "M8 14.2a6.2 6.2 0 1 0 0-12.4 6.2 6.2 0 0 0 0 12.4M6.3 6.3a1.8 1.8 0 1 1 2.6 1.6c-.6.3-.9.6-.9 1.3M8 11.4h.01",
  alert: "M8 2 14.5 13.5h-13zM8 6.5v3M8 11.4h.01",
  plug: "M5.5 1.8v3.4M10.5 1.8v3.4M3.5 5.2h9v2.3a4.5 4.5 0 0 1-9 0zM8 12v2.5",
  external: "M6.5 3.5H3v9.5h9.5V9.5M9.5 2.8h3.7v3.7M13 3 7.5 8.5",
  filter: "M2 3.5h12L9.5 8.8v4L6.5 11.5V8.8z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  wrap: "M2.5 4h11M2.5 8h9a2 2 0 0 1 0 4.2H8M9.6 10.6 8 12.2l1.6 1.6M2.5 12.2H5",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon-svg" viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.4" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
