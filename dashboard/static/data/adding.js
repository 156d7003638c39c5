// Bringing data in: files dropped on the page are sent one after another; what becomes of each is said in one sentence.

const MOST_FILES = 500
const SORT_WORDS = {damage: "Damage", unchecked: "Not checked", gap: "Gap in time", outlier: "Outlier", duplicate: "Duplicate"}

class Adding {
  constructor(model, act) {
    this.model = model
    this.act = act
    this.waiting = []
    this.sending = null
    this.refused = []
    this.file = make("input", {type: "file", multiple: true, hidden: true, onchange: () => { this.take([...this.file.files]); this.file.value = "" }})
    this.zone = make("div", {class: "zone"}, icon("upload"), make("p", {}, make("strong", {}, "Drop data files here"), " or "), button("Choose files", {kind: "main", onclick: () => this.file.click()}), this.file,
      make("p", {class: "note"}, "netCDF, HDF5, GeoTIFF, CSV and other tables as providers give them; zip and tar archives of these, also of a zarr store."))
    this.limits = make("div", {class: "limits"})
    this.now = make("div", {class: "sending", "aria-live": "polite"})
    const work = make("div", {"aria-live": "polite"})
    this.work = new Section(work, tasks => tasks.length ? [make("h3", {}, "What became of them"), ...tasks.map(task => taskLine(task, this.act))] : [])
    this.node = make("section", {class: "adding"}, this.zone, this.now, work, this.limits)
  }

  show(tasks) {
    const upload = JSON.parse(this.model.upload)
    if (!this.limits.firstChild && upload.limit_words) this.limits.append(
      make("h3", {}, "What happens to a file"),
      make("ul", {},
        make("li", {}, `It may have ${upload.limit_words}; of archives, what they unpack to is counted too (${upload.unpacked_words} at most). Larger ones: `, make("code", {}, "carbonweather data import FILE"), " on this computer."),
        make("li", {}, "What it is, is told by its content, not by its name. A file that no reader knows is refused with one sentence, and nothing of it is kept."),
        make("li", {}, "Nothing in it is executed. It is read by a process of its own with bounded memory, imported, and then deleted; the numbers stay."),
        make("li", {}, "It is not scanned for viruses: the readers take numbers and texts out of it and nothing else. Send only files whose origin you trust.")))
    this.work.show(tasks.filter(task => task.kind === "import" || task.kind === "fetch"))
  }

  async dropped(transfer) {
    const entries = [...transfer.items].map(item => item.webkitGetAsEntry?.()).filter(Boolean)
    if (!entries.some(entry => entry.isDirectory)) { this.take([...transfer.files]); return }
    const files = []
    try { for (const entry of entries) await this.walk(entry, files) } catch (error) { this.refuse("The folder", error.message || "it cannot be read.") }
    this.take(files)
  }

  async walk(entry, files) {
    if (entry.name.startsWith(".") || files.length > MOST_FILES) return
    if (entry.isFile) { files.push(await new Promise((done, failed) => entry.file(done, failed))); return }
    const reader = entry.createReader(), inside = []
    for (;;) {
      const part = await new Promise((done, failed) => reader.readEntries(done, failed))
      if (!part.length) break
      inside.push(...part)
    }
    if (inside.some(each => ["zarr.json", ".zgroup", ".zmetadata"].includes(each.name))) { this.refuse(entry.name, "this is a zarr store, a folder of many files; pack it as a zip archive and drop that."); return }
    for (const each of inside) await this.walk(each, files)
  }

  take(files) {
    const upload = JSON.parse(this.model.upload)
    for (const file of files.slice(0, MOST_FILES)) {
      if (file.size > upload.limit) this.refuse(file.name, `it has ${Math.round(file.size / 1e6).toLocaleString("en")} MB, and ${upload.limit_words} are taken at most.`)
      else if (file.size === 0) this.refuse(file.name, "it is empty.")
      else this.waiting.push(file)
    }
    if (files.length > MOST_FILES) this.refuse("More files", `only ${MOST_FILES} are taken at once; drop the rest later, or pack them as a zip archive.`)
    this.next()
  }

  refuse(name, sentence) { this.refused.push([name, sentence]); this.draw() }

  next() {
    if (this.sending || !this.waiting.length) { this.draw(); return }
    const file = this.waiting.shift(), upload = JSON.parse(this.model.upload), request = new XMLHttpRequest()
    this.sending = {name: file.name, fraction: 0, request}
    request.open("POST", new URL("data/upload", document.baseURI))
    request.setRequestHeader("X-Carbonweather-Token", upload.token)
    request.setRequestHeader("X-File-Name", encodeURIComponent(file.name))
    request.setRequestHeader("Content-Type", "application/octet-stream")
    request.upload.onprogress = event => { if (this.sending && event.lengthComputable) { this.sending.fraction = event.loaded / event.total; this.draw() } }
    request.onload = () => { let answer = null; try { answer = JSON.parse(request.responseText) } catch { /* a proxy's own page */ }
      if (!answer?.task) this.refuse(file.name, answer?.error ?? `the server answered with ${request.status} ${request.statusText}.`)
      this.sending = null; this.next() }
    request.onerror = () => { this.refuse(file.name, "the connection broke, or the server did not want it; try again."); this.sending = null; this.next() }
    request.onabort = () => { this.sending = null; this.next() }
    request.send(file)
    this.draw()
  }

  draw() {
    const parts = []
    if (this.sending) parts.push(make("div", {class: "line"}, chip("running", `Sending ${this.sending.name}${this.waiting.length ? `, ${this.waiting.length} more` : ""}`), make("span", {class: "spacer"}), button("Stop", {kind: "plain small", glyph: "close", onclick: () => { this.waiting = []; this.sending?.request.abort() }})), bar(this.sending.fraction, "Sending"))
    if (this.refused.length) parts.push(make("ul", {class: "outcomes"}, this.refused.slice(-30).map(([name, sentence]) => make("li", {class: "failed"}, mark("failed", "failed", name), " ", said(sentence.replace(`${name}: `, ""))))), button("Clear", {kind: "plain small", glyph: "close", onclick: () => { this.refused = []; this.draw() }}))
    this.now.replaceChildren(...parts)
  }
}

// Is everything intact, and does it make sense? The newest verification, and starting another one.
class Verification {
  constructor(act) {
    this.act = act
    const work = make("div", {"aria-live": "polite"}), found = make("div")
    this.work = new Section(work, task => task ? taskLine(task, act) : [])
    this.found = new Section(found, (kept, sort) => this.draw(kept, sort))
    this.start = button("Verify everything", {glyph: "check", kind: "main", onclick: () => act.verify(""), "data-key": "verify-all"})
    this.node = make("section", {class: "verification"},
      make("div", {class: "actions"}, this.start, make("p", {class: "note"}, "Reads every file: checksums, missing and foreign files, gaps in time, outliers, duplicates. It changes nothing and may take minutes; you can go on meanwhile.")), work, found)
    this.sort = ""
  }

  show(kept, task) {
    const busy = task && ["waiting", "running"].includes(task.state)
    this.start.setAttribute("aria-disabled", String(Boolean(busy)))
    this.work.show(task && (busy || task.state !== "done") ? task : null)
    this.kept = kept
    this.found.show(kept, this.sort)
  }

  draw(kept, sort) {
    if (!kept?.findings) return [make("div", {class: "empty"}, make("h2", {}, "Not verified yet"), make("p", {}, "A verification reads everything here and says what is damaged, missing, twice, or strange."))]
    const problems = kept.findings.filter(found => found.problem).length, notes = kept.findings.length - problems
    const sorts = ["damage", "unchecked", "gap", "outlier", "duplicate"].map(name => [name, kept.findings.filter(found => found.sort === name).length])
    const chosen = kept.findings.filter(found => !sort || found.sort === sort).sort((a, b) => b.problem - a.problem)
    const tab = (name, label, count) => make("button", {type: "button", class: "button small", "aria-pressed": String(sort === name), "data-key": `sort-${name}`, onclick: () => { this.sort = name; this.found.show(this.kept, this.sort) }}, `${label} (${count})`)
    return [make("p", {class: "verdict"}, mark(problems ? "failed" : "done", problems ? "failed" : "done", problems ? plural(problems, "problem") : "No problems"), ` and ${notes ? plural(notes, "note") : "no notes"}${kept.subject ? ` on ${kept.subject}` : ""}, as of ${when(kept.finished)}.`),
      kept.findings.length > 0 && make("div", {class: "actions"}, tab("", "All", kept.findings.length), ...sorts.filter(([, count]) => count).map(([name, count]) => tab(name, SORT_WORDS[name], count))),
      chosen.length > 0 && make("ul", {class: "findings"}, chosen.slice(0, 400).map(found => make("li", {}, mark(found.problem ? "failed" : "", found.problem ? "failed" : "note", SORT_WORDS[found.sort] ?? found.sort), make("span", {}, said(found.text),
        found.item && [" ", make("a", {href: `?tab=here&item=${encodeURIComponent(found.item)}`, onclick: event => { event.preventDefault(); this.act.openItem(found.item) }}, "Show it")])))),
      chosen.length > 400 && make("p", {class: "note"}, said(`The first 400 of ${chosen.length} are shown; \`carbonweather data verify\` prints all.`))]
  }
}
