// test import
// Control flow between blocks is not known.
func.func @f() {
 ^a:
  return
 ^b:  // error: several blocks
  return
}
