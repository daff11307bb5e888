export function Entity() { return null; }
