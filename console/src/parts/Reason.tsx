import { isReason } from "../text/alert";
import { Text } from "./Text";

/** Why somebody decided otherwise; where nothing is said, that is said. */
export function Reason({ text }: { text: string | null | undefined }) {
  if (text?.startsWith('{"$sealed"')) return <span className="tag">sealed value</span>;
  return (
    <>
      {text && <Text limit={280}>{text}</Text>}
      {!isReason(text) && (
        <>
          {text && " "}
          <span className="tag" data-tone="failed">
            No reason
          </span>
        </>
      )}
    </>
  );
}
