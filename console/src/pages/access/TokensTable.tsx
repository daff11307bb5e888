import { Button } from "@mantine/core";
import { useState } from "react";
import type { Token } from "../../api/types";
import { TableWrap } from "../../parts/TableWrap";
import { Text } from "../../parts/Text";
import { Ago, At } from "../../parts/When";
import { instant } from "../../text/time";

function Revoke({ token, onRevoke }: { token: Token; onRevoke: (token: Token) => void }) {
  const [asked, setAsked] = useState(false);
  if (!asked) {
    return (
      <Button
        size="compact-xs"
        variant="subtle"
        color="gray"
        onClick={() => setAsked(true)}
        aria-label={`Revoke the token of ${token.name}`}
      >
        Revoke
      </Button>
    );
  }
  return (
    <span className="row end">
      <Button size="compact-xs" color="red" variant="light" onClick={() => onRevoke(token)}>
        Revoke for good
      </Button>
      <Button size="compact-xs" variant="default" onClick={() => setAsked(false)}>
        Keep
      </Button>
    </span>
  );
}

function Expiry({ token }: { token: Token }) {
  if (!token.expires_at) return <span className="quiet">never</span>;
  const expired = instant(token.expires_at).getTime() < Date.now();
  return (
    <>
      {expired && (
        <span className="tag" data-tone="denied">
          expired
        </span>
      )}{" "}
      <At time={token.expires_at} seconds={false} />
    </>
  );
}

export function TokensTable({ tokens, onRevoke }: { tokens: Token[]; onRevoke: (token: Token) => void }) {
  if (tokens.length === 0) return <p className="quiet">There are no tokens yet.</p>;
  return (
    <TableWrap label="Tokens">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Role</th>
            <th scope="col">Limited to</th>
            <th scope="col">Made</th>
            <th scope="col">Last used</th>
            <th scope="col">Expires</th>
            <th scope="col">
              <span className="visually-hidden">Revoke</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {tokens.map((token) => (
            <tr key={token.id}>
              <td>
                <b>
                  <Text limit={80}>{token.name}</Text>
                </b>
              </td>
              <td>{token.role}</td>
              <td>
                {token.prefixes?.length ? (
                  <Text>{token.prefixes.map((prefix) => `${prefix}…`).join(", ")}</Text>
                ) : (
                  <span className="quiet">–</span>
                )}
              </td>
              <td>
                <Ago time={token.created_at} />
              </td>
              <td>{token.last_used_at ? <Ago time={token.last_used_at} /> : <span className="quiet">never</span>}</td>
              <td>
                <Expiry token={token} />
              </td>
              <td className="num">
                <Revoke token={token} onRevoke={onRevoke} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableWrap>
  );
}
