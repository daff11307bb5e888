import { Loading, ProblemNote } from "../../parts/Notice";
import { Card } from "../../parts/Page";
import { TableWrap } from "../../parts/TableWrap";
import { Text } from "../../parts/Text";
import type { Resource } from "../../state/resource";
import { grouped, percent } from "../../text/number";
import type { ModelRate } from "./figures";

export function ModelsCard({ models }: { models: Resource<ModelRate[]> }) {
  return (
    <Card wide title="Overrides by model" aside="by the model an override names, or the last one on its entity">
      {models.problem && <ProblemNote problem={models.problem} onRetry={models.reload} />}
      {!models.data && models.loading && <Loading what="the models" />}
      {models.data?.length === 0 && (
        <p className="quiet">
          No event names a model. Put <code>model_version</code> into an event’s context, and its overrides are counted
          here.
        </p>
      )}
      {models.data && models.data.length > 0 && (
        <TableWrap label="Overrides by model">
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Model</th>
                <th scope="col" className="num">
                  Events
                </th>
                <th scope="col" className="num">
                  Overridden
                </th>
                <th scope="col" className="num">
                  Rate
                </th>
              </tr>
            </thead>
            <tbody>
              {models.data.map(({ model, decisions, overridden }) => (
                <tr key={model}>
                  <td>
                    <Text limit={80}>{model}</Text>
                    <div className="meter" aria-hidden="true">
                      <i style={{ width: `${decisions ? Math.min(100, (100 * overridden) / decisions) : 100}%` }} />
                    </div>
                  </td>
                  <td className="num">{grouped(decisions)}</td>
                  <td className="num">{grouped(overridden)}</td>
                  <td className="num">
                    <b>{percent(overridden, decisions)}</b>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableWrap>
      )}
    </Card>
  );
}
