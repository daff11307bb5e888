import type { Status } from "../../api/types";
import { Card } from "../../parts/Page";
import { TableWrap } from "../../parts/TableWrap";
import { Text } from "../../parts/Text";
import { grouped, plural } from "../../text/number";

const SHOWN = 5;

export function SegmentsCard({ status }: { status: Status }) {
  const { segments, sealed_size: sealed, tree_size: size } = status;
  const shown = segments.slice(-SHOWN).reverse();
  return (
    <Card title="Sealed segments" aside={plural(segments.length, "segment")}>
      <p className="quiet">
        {grouped(sealed)} entries lie in sealed Parquet files whose every block is hashed into the tree;{" "}
        {grouped(size - sealed)} newer ones are in the journal. A segment holds {grouped(status.segment_span)} entries.
      </p>
      {shown.length > 0 && (
        <TableWrap label="Sealed segments">
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Entries</th>
                <th scope="col">File</th>
              </tr>
            </thead>
            <tbody>
              {shown.map(({ first, count, file }) => (
                <tr key={first}>
                  <td style={{ whiteSpace: "nowrap" }}>
                    {grouped(first)} – {grouped(first + count - 1)}
                  </td>
                  <td>
                    <code>
                      <Text>{file}</Text>
                    </code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableWrap>
      )}
      {segments.length > SHOWN && (
        <p className="quiet small">
          The newest {SHOWN} of {grouped(segments.length)}.
        </p>
      )}
    </Card>
  );
}
