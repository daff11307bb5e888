import { ActionIcon } from "@mantine/core";
import type { Search, Searches } from "../../api/searches";
import { Icon } from "../../parts/Icon";
import type { Resource } from "../../state/resource";
import { useStore } from "../../state/store";
import { type SavedQuery, SHIPPED, savedStore } from "./catalog";
import { SharedSearches } from "./SharedSearches";

function Item({
  query,
  onChoose,
  onRemove,
}: {
  query: SavedQuery;
  onChoose: (sql: string) => void;
  onRemove?: () => void;
}) {
  return (
    <li>
      <button type="button" className="library-item" onClick={() => onChoose(query.sql)} title={query.sql}>
        {query.name}
      </button>
      {onRemove && (
        <ActionIcon
          size="sm"
          variant="subtle"
          color="gray"
          aria-label={`Remove the saved query ${query.name}`}
          onClick={onRemove}
        >
          <Icon name="cross" />
        </ActionIcon>
      )}
    </li>
  );
}

export function Library({
  searches,
  onChoose,
  onChooseSearch,
}: {
  searches: Resource<Searches>;
  onChoose: (sql: string) => void;
  onChooseSearch: (search: Search) => void;
}) {
  const saved = useStore(savedStore);
  return (
    <nav className="library" aria-label="Queries">
      <h2>Questions</h2>
      <ul>
        {SHIPPED.map((query) => (
          <Item key={query.name} query={query} onChoose={onChoose} />
        ))}
      </ul>
      <SharedSearches searches={searches} onChoose={onChooseSearch} />
      <h2>Yours</h2>
      {saved.length === 0 && <p className="quiet small">“Save” keeps a query in this browser.</p>}
      <ul>
        {saved.map((query) => (
          <Item
            key={query.name}
            query={query}
            onChoose={onChoose}
            onRemove={() => savedStore.set(saved.filter((other) => other !== query))}
          />
        ))}
      </ul>
    </nav>
  );
}
