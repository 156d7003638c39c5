// The Runs page as a whole: which view stands beside the list, the address, messages, drag and drop, keys.
//
// Python -> here: listing (all runs), live (those that change by themselves), view (what stands beside the list), log, feedback (of the form).
// here -> Python: messages {kind: "open" | "new" | "edit" | "start" | "pause" | ...}; see dashboard/runs_page.py.

const LARGEST_UPLOAD = 200e3    // bytes of a configuration file
const KEYS = [["N", "new run"], ["/", "find a run"], ["↑ ↓", "move in the list"], ["Enter", "open"], ["Esc", "back to the list"], ["?", "this list"]]

// Whatever scrolls the page (the shell's main part, or the window) goes back to its beginning.
function toTop(node) {
  for (let each = node; each; each = each.assignedSlot ?? each.parentNode ?? each.host) if (each.scrollTop) each.scrollTop = 0
  window.scrollTo({top: 0})
}

export function render({model, el}) {
  const say = message => model.send_msg(JSON.parse(JSON.stringify(message)))    // without what is undefined
  const list = new RunList(say), form = new RunForm(say), run = new RunDetail(say), comparison = new RunComparison(say)
  const notice = make("div", {class: "notice", role: "status", hidden: true})
  const file = make("input", {type: "file", accept: ".yaml,.yml,application/yaml", hidden: true, onchange: () => { read(file.files[0]); file.value = "" }})
  const side = make("div", {class: "side"})
  const waiting = make("p", {class: "note", role: "status"}, "Reading the runs …")
  const ask = make("dialog", {"aria-labelledby": "ask-title"})
  const help = make("dialog", {"aria-label": "Keys"}, make("h3", {}, "Keys"), make("table", {}, KEYS.map(([keys, text]) => make("tr", {}, make("td", {}, make("kbd", {}, keys)), make("td", {}, text)))),
    make("form", {method: "dialog"}, make("button", {type: "submit", class: "button main"}, "Close")))
  const app = make("main", {class: "runs-page"},
    make("div", {class: "top"}, make("h1", {}, "Runs"), make("div", {class: "spacer"}),
      button("New run", {glyph: "add", kind: "main", onclick: () => say({kind: "new"}), "aria-keyshortcuts": "N"}),
      button("From file", {glyph: "upload", title: "Start from a configuration file (YAML); it may also be dropped on this page", onclick: () => file.click()}), file,
      make("button", {type: "button", class: "button plain keys", title: "Keys (?)", "aria-label": "Keys", onclick: () => help.showModal()}, "?")),
    notice, make("div", {class: "columns"}, make("div", {class: "left"}, waiting, list.node), side), ask, help)
  el.append(app)

  let view = {mode: "list"}, rows = [], skew = 0, shown = ""
  const parse = text => { try { return JSON.parse(text) } catch { return null } }

  const showRows = () => {
    const listing = parse(model.listing), live = parse(model.live)
    if (!listing?.rows) return
    const now = new Map((live?.rows ?? []).map(row => [row.id, row]))
    rows = listing.rows.map(row => now.get(row.id) ?? row)
    skew = live?.clock ? live.clock * 1000 - Date.now() : 0
    list.skew = skew
    waiting.hidden = listing.loaded
    list.show(rows, listing.loaded, view.mode === "run" ? view.id : "")
    if (view.mode === "run") run.show(view, rows.find(row => row.id === view.id), skew)
  }
  const showView = () => {
    view = parse(model.view) ?? view
    const node = {run: run.node, new: form.node, compare: comparison.node}[view.mode] ?? null
    if (view.mode === "new") form.show(view)
    if (view.mode === "compare") comparison.show(view)
    showRows()
    app.classList.toggle("beside", Boolean(node))
    app.classList.toggle("nothing", !rows.length)
    if (node ? side.firstChild !== node : side.firstChild) side.replaceChildren(...(node ? [node] : []))
    const mark = `${view.mode} ${view.id ?? ""} ${view.key ?? ""} ${view.query ?? ""}`
    if (mark !== shown && view.mode) {
      const first = shown === ""
      shown = mark
      if (!first) {
        (node?.querySelector("[data-focus]") ?? list.node.querySelector("a[data-key]"))?.focus({preventScroll: true})
        if (node) requestAnimationFrame(() => toTop(app))
      }
    }
    showLog()
  }
  const showLog = () => { const log = parse(model.log); if (log && view.mode === "run") run.showLog(log) }
  const showPlot = () => run.showPlot(parse(model.plot))
  const showNotice = () => {
    const said = parse(model.notice)
    notice.hidden = !said?.text
    if (said?.text) notice.replaceChildren(make("span", {}, said.text), make("button", {type: "button", class: "button plain", "aria-label": "Close the message", onclick: () => { notice.hidden = true }}, icon("close")))
    notice.classList.toggle("bad", said?.severity === "error")
  }
  const showAddress = () => {
    const asked = parse(model.address)
    if (!asked || asked.query === window.location.search.slice(1)) return
    window.history[asked.replace ? "replaceState" : "pushState"]({}, "", window.location.pathname + (asked.query ? "?" + asked.query : ""))
  }
  const showQuestion = () => {
    const question = parse(model.question)
    if (!question?.id) { if (ask.open) ask.close(); return }
    const results = make("input", {type: "checkbox"})
    ask.replaceChildren(make("h3", {id: "ask-title"}, "Delete this run?"), make("p", {}, question.text),
      ...(question.made?.length ? [make("label", {class: "made"}, results, ` Also remove from the data folder: ${question.made.join("; ")}`)] : []),
      make("div", {class: "actions"}, button("Delete", {kind: "danger filled", glyph: "remove", onclick: () => { ask.close(); say({kind: "delete", id: question.id, results: results.checked}) }}),
        button("Keep it", {autofocus: true, onclick: () => ask.close()})))
    if (!ask.open) ask.showModal()
  }

  const read = chosen => {
    if (!chosen) return
    if (chosen.size > LARGEST_UPLOAD) { say({kind: "upload", name: chosen.name, bytes: chosen.size, text: ""}); return }
    chosen.text().then(text => say({kind: "upload", name: chosen.name, bytes: chosen.size, text}))
  }
  const over = event => { if (event.dataTransfer?.types.includes("Files")) { event.preventDefault(); app.classList.add("drop") } }
  const leave = event => { if (!event.relatedTarget) app.classList.remove("drop") }
  const drop = event => { if (!event.dataTransfer?.files.length) return; event.preventDefault(); app.classList.remove("drop"); read(event.dataTransfer.files[0]) }
  const pop = () => say({kind: "pop", query: window.location.search.slice(1)})
  const keys = event => {
    const target = event.composedPath()[0]
    if (event.ctrlKey || event.metaKey || event.altKey || ask.open || help.open) return
    const writing = target instanceof HTMLElement && (/^(TEXTAREA|SELECT)$/.test(target.tagName) || target.tagName === "INPUT" && !["checkbox", "radio"].includes(target.type))
    if (event.key === "Escape" && view.mode !== "list" && !(writing && view.mode === "new")) { event.preventDefault(); say({kind: "list"}) }
    else if (writing) return
    else if (event.key === "n" || event.key === "N") { event.preventDefault(); say({kind: "new"}) }
    else if (event.key === "/") { event.preventDefault(); list.find.focus() }
    else if (event.key === "?") { event.preventDefault(); help.showModal() }
  }
  const clock = setInterval(() => { if (rows.some(row => ACTIVE.has(row.state))) showRows() }, 1000)

  for (const [name, act] of [["listing", showRows], ["live", showRows], ["view", showView], ["log", showLog], ["plot", showPlot], ["notice", showNotice], ["address", showAddress], ["question", showQuestion]])
    model.on(name, act)
  const showDark = () => app.classList.toggle("dark", Boolean(model.dark))
  model.on("dark", showDark)
  model.on("feedback", () => { const said = parse(model.feedback); if (said) form.answer(said) })
  window.addEventListener("popstate", pop)
  window.addEventListener("keydown", keys)
  window.addEventListener("dragover", over)
  window.addEventListener("dragleave", leave)
  window.addEventListener("drop", drop)
  model.on("remove", () => {
    clearInterval(clock)
    run.showPlot(null)
    window.removeEventListener("popstate", pop)
    window.removeEventListener("keydown", keys)
    window.removeEventListener("dragover", over)
    window.removeEventListener("dragleave", leave)
    window.removeEventListener("drop", drop)
  })
  showDark(); showView(); showPlot(); showNotice(); showAddress()
}
