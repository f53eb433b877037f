/**
 * The watch page: one document with its program and its style in it, which asks nobody but its endpoint for anything.
 */
import { script } from './script.js'
import { style } from './style.js'

/** @param nonce a new one for each answer, the one of its {@link pagePolicy} */
export function pageHtml(nonce: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>keepwise watch</title>
<link rel="icon" href="data:,">
<style nonce="${nonce}">${style}</style>
</head>
<body>
<noscript>This page draws what the process tells it: it needs JavaScript.</noscript>
<main id="page"></main>
<script nonce="${nonce}">${script.replaceAll('</script', '<\\/script')}</script>
</body>
</html>
`
}

/** The page's `Content-Security-Policy`. */
export function pagePolicy(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}
