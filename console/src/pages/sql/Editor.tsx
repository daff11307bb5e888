import { autocompletion, closeBrackets, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { PostgreSQL, schemaCompletionSource, sql } from "@codemirror/lang-sql";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorState, Prec } from "@codemirror/state";
import { drawSelection, EditorView, keymap, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";
import { COLUMNS, FUNCTIONS } from "./catalog";

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--accent)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--denied)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--override)" },
  { tag: tags.comment, color: "var(--quiet)", fontStyle: "italic" },
  { tag: tags.operator, color: "var(--quiet)" },
]);

const look = EditorView.theme({
  "&": { fontSize: "0.84375rem", minHeight: "9rem" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-1px", borderRadius: "4px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6", maxHeight: "22rem" },
  ".cm-content": { padding: "0.7rem 0.4rem", caretColor: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-placeholder": { color: "var(--quiet)" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": {
    background: "color-mix(in srgb, var(--accent) 22%, transparent)",
  },
  ".cm-tooltip": {
    background: "var(--surface)",
    border: "1px solid var(--rule-strong)",
    borderRadius: "4px",
    color: "var(--ink)",
  },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { background: "var(--accent-soft)", color: "var(--ink)" },
  ".cm-completionDetail": { color: "var(--quiet)", fontStyle: "normal", marginLeft: "1rem" },
});

const columns = COLUMNS.map(([label, detail]) => ({ label, detail, type: "property", boost: 2 }));
const functions = FUNCTIONS.map(([label, detail]) => ({ label, detail, type: "function" }));

const completions = [
  schemaCompletionSource({ dialect: PostgreSQL, schema: { audit_log: columns }, defaultTable: "audit_log" }),
  (context: import("@codemirror/autocomplete").CompletionContext) => {
    const word = context.matchBefore(/\w+/);
    return word || context.explicit ? { from: word?.from ?? context.pos, options: functions, validFor: /^\w*$/ } : null;
  },
];

export interface EditorProps {
  value: string;
  onChange: (text: string) => void;
  onRun: () => void;
}

export function Editor({ value, onChange, onRun }: EditorProps) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const latest = useRef({ onChange, onRun });
  latest.current = { onChange, onRun };
  const initial = useRef(value);

  useEffect(() => {
    if (!place.current) return;
    const run = () => {
      latest.current.onRun();
      return true;
    };
    const editor = new EditorView({
      parent: place.current,
      state: EditorState.create({
        doc: initial.current,
        extensions: [
          Prec.highest(keymap.of([{ key: "Mod-Enter", run }])),
          history(),
          drawSelection(),
          closeBrackets(),
          sql({ dialect: PostgreSQL, upperCaseKeywords: true }),
          autocompletion({ icons: false }),
          PostgreSQL.language.data.of({ autocomplete: completions[0] }),
          PostgreSQL.language.data.of({ autocomplete: completions[1] }),
          syntaxHighlighting(colours),
          keymap.of([...completionKeymap, ...historyKeymap, ...defaultKeymap]),
          placeholder("SELECT … FROM audit_log"),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": "SQL over the table audit_log" }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange(update.state.doc.toString());
          }),
          look,
        ],
      }),
    });
    view.current = editor;
    return () => editor.destroy();
  }, []);

  useEffect(() => {
    const editor = view.current;
    if (editor && editor.state.doc.toString() !== value) {
      editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
    }
  }, [value]);

  return <div ref={place} className="editor" />;
}
