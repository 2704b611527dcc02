declare module "virtual:boundaries" {
  const boundaries: import("./map/boundaries").Boundaries;
  export default boundaries;
}
