export default function Sql() { return null; }
