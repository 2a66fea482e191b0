// test import
// An operator that there is not.
func.func @f() {
  %x = stablehlo.constant dense<1> : tensor<2xi32>
  %y = stablehlo.unheard_of %x : tensor<2xi32>  // error: stablehlo.unheard_of
  return
}
