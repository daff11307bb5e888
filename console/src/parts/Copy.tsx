import { Button, CopyButton } from "@mantine/core";
import { Icon } from "./Icon";
import { Text } from "./Text";

export function Copy({ value, label = "Copy" }: { value: string; label?: string }) {
  return (
    <CopyButton value={value}>
      {({ copied, copy }) => (
        <Button
          size="compact-xs"
          variant="default"
          onClick={copy}
          leftSection={<Icon name={copied ? "check" : "copy"} />}
        >
          {copied ? "Copied" : label}
        </Button>
      )}
    </CopyButton>
  );
}

export function Code({ value, label, hostile = false }: { value: string; label?: string; hostile?: boolean }) {
  return (
    <div className="code">
      <div className="code-copy">
        <Copy value={value} {...(label ? { label } : {})} />
      </div>
      <pre>{hostile ? <Text>{value}</Text> : value}</pre>
    </div>
  );
}
