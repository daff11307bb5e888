import type { Alert } from "../../api/alerts";
import { Link } from "../../parts/Link";
import { Text } from "../../parts/Text";
import { entityHref } from "../../state/router";
import { joinedBy } from "../../text/alert";

function Member({ field, value }: Alert["group"][number]) {
  const text = <Text limit={80}>{value}</Text>;
  return field === "entity_id" ? (
    <Link href={entityHref(value)} className="thing">
      {text}
    </Link>
  ) : (
    <b>{text}</b>
  );
}

/** By whom and on what: what the entries of an alert have in common. */
export function Common({ group }: Pick<Alert, "group">) {
  return group.map((member) => (
    <span key={member.field} className="common">
      , <Text limit={60}>{joinedBy(member.field)}</Text> <Member {...member} />
    </span>
  ));
}
