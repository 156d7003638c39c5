// The time bar under the map: step, play, slider, month label, hover-free and keyboard-driven. It only shows and asks; the
// explorer (explore.js) owns the step and the playing.

const ICONS = {
  first: "M6 6h2v12H6zm3.5 6 8.5 6V6z", back: "M15.4 7.4 14 6l-6 6 6 6 1.4-1.4L10.8 12z", play: "M8 5v14l11-7z",
  pause: "M6 19h4V5H6zm8-14v14h4V5z", next: "M8.6 16.6 13.2 12 8.6 7.4 10 6l6 6-6 6z", last: "M6 18l8.5-6L6 6zM16 6v12h2V6z",
}
const HELP = [["← →", "previous, next step"], ["Home End", "first, last step"], ["Space", "play or pause"], ["+ −", "zoom in, out"],
              ["W A S D", "pan"], ["0", "whole map"], ["?", "this list"], ["Esc", "close"]]
function bus() {
  return (window.carbonweather ??= Object.assign(new EventTarget(), {maps: new Map()}))
}

export function render({model, el}) {
  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag)
    for (const [key, value] of Object.entries(attributes)) key.startsWith("on") ? (node[key] = value) : node.setAttribute(key, value)
    node.append(...children)
    return node
  }
  const icon = name => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS("http://www.w3.org/2000/svg", "path")
    svg.setAttribute("viewBox", "0 0 24 24"); path.setAttribute("d", ICONS[name]); svg.append(path)
    return svg
  }
  const explorer = () => bus().current
  const rate = make("select", {"aria-label": "Frames a second", title: "Frames a second"},
    ...[2, 4, 8, 16].map(n => make("option", n === 8 ? {value: n, selected: ""} : {value: n}, `${n} / s`)))
  const toggle = () => explorer()?.play(!explorer().playing, () => Number(rate.value))
  const move = delta => { explorer()?.play(false); explorer()?.setStep(explorer().step + delta) }
  const button = (name, title, onclick) => make("button", {type: "button", title, "aria-label": title, onclick}, icon(name))
  const playButton = button("play", "Play (space)", toggle)
  const slider = make("input", {type: "range", min: 0, max: 0, value: 0, "aria-label": "Time"})
  slider.oninput = () => { explorer()?.play(false); explorer()?.setStep(Number(slider.value)) }
  const label = make("output", {class: "label", "aria-live": "polite"}, "…")
  const ends = [make("span", {class: "end"}), make("span", {class: "end"})]
  const help = make("dialog", {"aria-label": "Keys"}, make("h3", {}, "Keys"),
    make("table", {}, ...HELP.map(([keys, text]) => make("tr", {}, make("td", {}, make("kbd", {}, keys)), make("td", {}, text)))),
    make("form", {method: "dialog"}, make("button", {type: "submit"}, "Close")))
  const bar = make("div", {class: "timebar", role: "group", "aria-label": "Time"},
    make("div", {class: "buttons"}, button("first", "First (Home)", () => move(-1e6)), button("back", "Previous (←)", () => move(-1)), playButton,
      button("next", "Next (→)", () => move(1)), button("last", "Last (End)", () => move(1e6))),
    label, make("div", {class: "track"}, ends[0], slider, ends[1]), rate,
    make("button", {type: "button", title: "Keys (?)", "aria-label": "Keys", class: "help", onclick: () => help.showModal()}, "?"), help)
  el.append(bar)

  let labels = []
  const show = step => {
    slider.value = step
    label.textContent = bus().say?.(labels[step]) ?? "…"
    slider.setAttribute("aria-valuetext", label.textContent)
  }
  const frames = event => {
    labels = event.detail.labels
    slider.max = Math.max(0, labels.length - 1)
    ends[0].textContent = (labels[0] ?? "").slice(0, 4)
    ends[1].textContent = (labels[labels.length - 1] ?? "").slice(0, 4)
    show(event.detail.step)
  }
  const stepped = event => show(event.detail.step)
  const playing = event => {
    playButton.replaceChildren(icon(event.detail.on ? "pause" : "play"))
    playButton.title = event.detail.on ? "Pause (space)" : "Play (space)"
  }
  const keys = event => {
    const target = event.composedPath()[0]
    if (event.ctrlKey || event.metaKey || event.altKey || !explorer()) return
    if (target instanceof HTMLElement && (target.isContentEditable || (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && target !== slider))) return
    if (target instanceof HTMLElement && event.key === " " && target.tagName === "BUTTON" && target !== playButton) return
    const map = explorer()
    const actions = {
      ArrowLeft: () => move(-1), ArrowRight: () => move(1), Home: () => move(-1e6), End: () => move(1e6), " ": toggle,
      "+": () => map.zoom(0.5), "=": () => map.zoom(0.5), "-": () => map.zoom(2), "0": () => map.home(),
      w: () => map.pan(0, 0.2), s: () => map.pan(0, -0.2), a: () => map.pan(-0.2, 0), d: () => map.pan(0.2, 0), "?": () => help.showModal(),
    }
    const action = actions[event.key] ?? actions[event.key.toLowerCase()]
    if (action && !help.open) { event.preventDefault(); action() }
  }
  bus().addEventListener("frames", frames)
  bus().addEventListener("step", stepped)
  bus().addEventListener("playing", playing)
  window.addEventListener("keydown", keys)
  const now = explorer()
  if (now) frames({detail: {labels: now.spec.labels, step: now.step}})
  model.on("remove", () => {
    bus().removeEventListener("frames", frames)
    bus().removeEventListener("step", stepped)
    bus().removeEventListener("playing", playing)
    window.removeEventListener("keydown", keys)
  })
}
