// The one place the code knows its own version from; a test compares it with package.json.

export const VERSION = "0.1.0";
