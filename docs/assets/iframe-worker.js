/* A page that is read from the file system may start no worker, which the search is. Here it runs
   in a hidden frame instead. Pages from a server keep the browser's own workers. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      document.body.appendChild(this.frame)
      window.addEventListener("message", event => {
        if (event.source === this.frame.contentWindow)
          this.dispatchEvent(new MessageEvent("message", { data: event.data }))
      })
      const inside = this.frame.contentDocument
      inside.open()
      inside.write(
        "<!doctype html><script>" +
        "postMessage = data => parent.dispatchEvent(" +
        "new MessageEvent('message', { data, source: window }));" +
        "importScripts = (...urls) => urls.reduce((before, url) => before.then(" +
        "() => new Promise(done => { const script = document.createElement('script');" +
        "script.src = url; script.onload = done; document.body.appendChild(script) }))," +
        " Promise.resolve())" +
        "</scr" + "ipt><script src=\"" + encodeURI(url) + "\"></scr" + "ipt>"
      )
      inside.close()
      this.ready = new Promise(done => { this.frame.onload = done })
    }
    postMessage(data) {
      this.ready.then(() =>
        this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })))
    }
    terminate() {
      this.frame.remove()
    }
  }
}
