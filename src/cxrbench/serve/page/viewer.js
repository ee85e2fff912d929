// A film on a canvas: window and level, zoom and pan, and a heat map over it.

const WHOLE = { window: 255, level: 127.5, zoom: 1, x: 0, y: 0, isInverted: false };
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

export class Viewer extends EventTarget {
  constructor(canvas) {
    super();
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.view = { ...WHOLE };
    this.opacity = 0.6;
    this.isHeatShown = true;
    this.grey = null; // one byte per pixel
    this.shaded = document.createElement("canvas"); // the film at its own size, windowed
    this.map = null;
    this.edge = null; // of what the network saw: left, top, width, height as shares of the film
    new ResizeObserver(() => this.fit()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.grab(event));
    canvas.addEventListener("wheel", (event) => this.roll(event), { passive: false });
    canvas.addEventListener("dblclick", () => this.reset());
    canvas.addEventListener("keydown", (event) => this.press(event));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  show(picture) {
    const { width, height } = picture;
    Object.assign(this.shaded, { width, height });
    const context = this.shaded.getContext("2d", { willReadFrequently: true });
    context.drawImage(picture, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    this.grey = Uint8Array.from({ length: width * height }, (_, i) => data[4 * i]);
    this.canvas.hidden = false;
    this.reset();
    this.fit();
  }

  clear() {
    this.grey = this.map = null;
    this.canvas.hidden = true;
  }

  showHeat(map, edge = null) {
    Object.assign(this, { map, edge, isHeatShown: true });
    this.change({});
  }

  change(view) {
    const before = this.view;
    this.view = { ...before, ...view };
    this.view.window = clamp(this.view.window, 1, 255);
    this.view.level = clamp(this.view.level, 0, 255);
    this.view.zoom = clamp(this.view.zoom, 0.5, 20);
    if (["window", "level", "isInverted"].some((name) => this.view[name] !== before[name])) this.shade();
    this.draw();
    this.dispatchEvent(new Event("change"));
  }

  reset() {
    this.view = { ...WHOLE };
    this.shade();
    this.change({});
  }

  shade() {
    if (!this.grey) return;
    const { window: width, level, isInverted } = this.view;
    const low = level - width / 2;
    const shades = Uint8ClampedArray.from({ length: 256 }, (_, i) => {
      const shade = ((i - low) / width) * 255;
      return isInverted ? 255 - shade : shade;
    });
    const context = this.shaded.getContext("2d");
    const image = context.createImageData(this.shaded.width, this.shaded.height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < pixels.length; i += 1) pixels[i] = 0xff000000 | (shades[this.grey[i]] * 0x010101);
    context.putImageData(image, 0, 0);
  }

  fit() {
    const scale = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * scale));
    this.canvas.height = Math.max(1, Math.round(this.canvas.clientHeight * scale));
    this.draw();
  }

  // Pixels of the canvas per pixel of the picture, before zooming.
  get scale() {
    return Math.min(this.canvas.width / this.shaded.width, this.canvas.height / this.shaded.height);
  }

  draw() {
    if (!this.grey) return;
    const { context, canvas, shaded } = this;
    const { zoom, x, y } = this.view;
    const [width, height] = [shaded.width * this.scale * zoom, shaded.height * this.scale * zoom];
    const place = [canvas.width / 2 + x - width / 2, canvas.height / 2 + y - height / 2, width, height];
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingEnabled = this.scale * zoom < 3;
    context.imageSmoothingQuality = "high";
    context.drawImage(shaded, ...place);
    if (!this.map || !this.isHeatShown) return;
    context.globalAlpha = this.opacity;
    context.imageSmoothingEnabled = true;
    context.drawImage(this.map, ...place);
    context.globalAlpha = 1;
    if (this.edge && this.opacity) this.drawEdge(...place);
  }

  // Dark beneath light, so that it shows on any grey.
  drawEdge(left, top, width, height) {
    const { context } = this;
    const unit = window.devicePixelRatio || 1;
    const [x, y, across, down] = this.edge;
    const line = [left + x * width, top + y * height, across * width, down * height];
    context.lineWidth = unit;
    for (const [colour, dashes] of [["#000", []], ["#d8dee4", [6 * unit, 6 * unit]]]) {
      context.strokeStyle = colour;
      context.setLineDash(dashes);
      context.strokeRect(...line);
    }
    context.setLineDash([]);
  }

  zoomAt(factor, x = 0, y = 0) {
    const zoom = clamp(this.view.zoom * factor, 0.5, 20);
    const real = zoom / this.view.zoom; // what lies under (x, y) from the middle stays there
    this.change({ zoom, x: x - (x - this.view.x) * real, y: y - (y - this.view.y) * real });
  }

  grab(event) {
    if (!this.grey) return;
    const isMove = event.shiftKey || event.button !== 0;
    const scale = window.devicePixelRatio || 1;
    this.canvas.setPointerCapture(event.pointerId);
    const drag = ({ movementX, movementY }) => {
      const { window: width, level, x, y } = this.view;
      if (isMove) this.change({ x: x + movementX * scale, y: y + movementY * scale });
      else this.change({ window: width + movementX / 2, level: level + movementY / 2 });
    };
    const drop = () => this.canvas.removeEventListener("pointermove", drag);
    this.canvas.addEventListener("pointermove", drag);
    this.canvas.addEventListener("pointerup", drop, { once: true });
    this.canvas.addEventListener("pointercancel", drop, { once: true });
  }

  roll(event) {
    event.preventDefault();
    const scale = window.devicePixelRatio || 1;
    const x = event.offsetX * scale - this.canvas.width / 2;
    const y = event.offsetY * scale - this.canvas.height / 2;
    this.zoomAt(Math.exp(-event.deltaY / 500), x, y);
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { window: width, level, x, y, isInverted } = this.view;
    const step = 40 * (window.devicePixelRatio || 1);
    const keys = event.shiftKey
      ? { ArrowLeft: { x: x + step }, ArrowRight: { x: x - step }, ArrowUp: { y: y + step }, ArrowDown: { y: y - step } }
      : { ArrowLeft: { window: width - 8 }, ArrowRight: { window: width + 8 }, ArrowUp: { level: level - 8 },
          ArrowDown: { level: level + 8 } };
    if (event.key in keys) this.change(keys[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoomAt(1.25);
    else if (event.key === "-") this.zoomAt(0.8);
    else if (event.key === "0") this.reset();
    else if (event.key.toLowerCase() === "i") this.change({ isInverted: !isInverted });
    else if (event.key.toLowerCase() === "h") this.toggleHeat();
    else return;
    event.preventDefault();
  }

  toggleHeat() {
    this.isHeatShown = !this.isHeatShown;
    this.change({});
  }
}
