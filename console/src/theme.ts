import { createTheme, type MantineColorsTuple } from "@mantine/core";

const ink: MantineColorsTuple = [
  "#eaf5f1",
  "#d5e8e1",
  "#aad2c5",
  "#7dbba8",
  "#57a88f",
  "#3f9c80",
  "#2a7563",
  "#1d5c4f",
  "#174a40",
  "#103831",
];

const gray: MantineColorsTuple = [
  "#f8f7f4",
  "#f1efea",
  "#e4e1da",
  "#d6d2c9",
  "#b9b5ab",
  "#8d8a82",
  "#6c6a64",
  "#4d4c48",
  "#33322f",
  "#1f1e1c",
];

const dark: MantineColorsTuple = [
  "#e9e7e2",
  "#c3c5c4",
  "#a3a9ac",
  "#737b80",
  "#3b4349",
  "#2c3338",
  "#22282c",
  "#191d21",
  "#13171a",
  "#0e1113",
];

const SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif';
const MONO = 'ui-monospace, "SF Mono", "Cascadia Mono", "Segoe UI Mono", "Liberation Mono", Menlo, monospace';

export const theme = createTheme({
  primaryColor: "ink",
  primaryShade: { light: 7, dark: 6 },
  colors: { ink, gray, dark },
  fontFamily: SANS,
  fontFamilyMonospace: MONO,
  headings: { fontFamily: SANS, fontWeight: "600" },
  defaultRadius: "sm",
  cursorType: "pointer",
  fontSizes: { xs: "0.75rem", sm: "0.8125rem", md: "0.875rem", lg: "1rem", xl: "1.125rem" },
  respectReducedMotion: true,
});
