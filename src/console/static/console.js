// What forms and links cannot do: updates by themselves, copying, and saying that the server or the session is gone.
// The page works without it.

const trouble = document.getElementById('trouble')
const live = () => document.getElementById('live')

function say(words, link) {
  if (!trouble) return
  trouble.hidden = words === ''
  trouble.textContent = words
  if (link) {
    const anchor = document.createElement('a')
    anchor.href = location.href
    anchor.textContent = link
    trouble.append(' ', anchor)
  }
}

/** Copies without TLS too, where the browser has no clipboard for us. */
async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text)
  const area = document.createElement('textarea')
  area.value = text
  area.className = 'hidden'
  document.body.append(area)
  area.select()
  document.execCommand('copy')
  area.remove()
}

for (const button of document.querySelectorAll('[data-copy], [data-copy-text]')) {
  button.hidden = false
  const words = button.textContent
  button.addEventListener('click', async () => {
    await copy(button.dataset.copyText ?? button.parentElement.querySelector('code').textContent)
    button.textContent = 'Copied'
    button.focus()
    setTimeout(() => {
      button.textContent = words
    }, 1500)
  })
}

const pause = document.getElementById('live-pause')
let paused = false
let over = false
if (pause) {
  pause.hidden = false
  pause.addEventListener('click', () => {
    paused = !paused
    pause.setAttribute('aria-pressed', String(paused))
    pause.textContent = paused ? 'Go on with updates' : 'Pause updates'
  })
  setInterval(() => {
    if (!paused && !over && !document.hidden && live()) document.body.dispatchEvent(new Event('live'))
  }, 5000)
}

document.body.addEventListener('htmx:after:request', event => {
  const status = event.detail.ctx?.response?.raw?.status ?? event.detail.ctx?.response?.status
  if (status === 401 || status === 403) {
    over = true
    say('Your session has ended: what you see is not kept up to date any more.', 'Sign in, and go on here')
  } else if (status >= 400) say(`The server answered ${status}: what you see is of the time above. It is tried again.`)
  else {
    say('')
    const at = document.getElementById('live-at')
    if (at) at.textContent = new Date().toISOString().slice(11, 19)
  }
})
document.body.addEventListener('htmx:error', () => {
  if (!over) say('The server does not answer: what you see is of the time above. It is tried again.')
})
