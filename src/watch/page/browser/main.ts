/**
 * Starts the page.
 */
import { h, render } from 'preact'
import { App } from './app.js'
import { Feed } from './feed.js'

let changed = (): void => {}
const feed = new Feed(() => changed())
const onChange = (listener: () => void): void => {
  changed = listener
}

render(h(App, { feed, onChange }), document.getElementById('page') as HTMLElement)
feed.start()
