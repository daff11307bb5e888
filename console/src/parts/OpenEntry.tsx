import { grouped } from "../text/number";

export function OpenEntry({ index, onOpen }: { index: number; onOpen: (index: number) => void }) {
  return (
    <button type="button" className="linkish open-entry" onClick={() => onOpen(index)}>
      <span className="visually-hidden">Open entry </span>№ {grouped(index)}
    </button>
  );
}
