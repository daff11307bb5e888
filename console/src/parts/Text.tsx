import { pieces } from "../text/escape";

/** Text from the ledger: isolated, and with what would be invisible shown as its code. */
export function Text({ children, limit }: { children: string; limit?: number }) {
  const cut = limit !== undefined && children.length > limit;
  const shown = pieces(cut ? children.slice(0, limit) : children);
  return (
    <bdi className="isolate">
      {shown.map((piece, i) =>
        piece.hidden ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of a text have no other identity
          <span key={i} className="hidden-code" title="A character that would not be visible">
            {piece.text}
          </span>
        ) : (
          piece.text
        ),
      )}
      {cut && <span className="quiet">… ({children.length - limit} more characters)</span>}
    </bdi>
  );
}
