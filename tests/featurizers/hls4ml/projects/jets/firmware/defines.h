#ifndef DEFINES_H_
#define DEFINES_H_

#include "ap_fixed.h"
#include "ap_int.h"
#include "nnet_utils/nnet_types.h"
#include <array>
#include <cstddef>
#include <cstdio>
#include <tuple>
#include <tuple>


// hls-fpga-machine-learning insert numbers

// hls-fpga-machine-learning insert layer-precision
typedef ap_fixed<12,4> input_t;
typedef ap_fixed<12,4> model_default_t;
typedef ap_fixed<12,4> layer2_t;
typedef ap_uint<1> layer2_index;
typedef ap_fixed<12,4> layer3_t;
typedef ap_fixed<18,8> fc1_relu_table_t;
typedef ap_fixed<12,4> layer4_t;
typedef ap_uint<1> layer4_index;
typedef ap_fixed<12,4> layer5_t;
typedef ap_fixed<18,8> fc2_relu_table_t;
typedef ap_fixed<12,4> layer6_t;
typedef ap_uint<1> layer6_index;
typedef ap_fixed<12,4> result_t;
typedef ap_fixed<18,8> fc3_softmax_table_t;
typedef ap_fixed<18,8,AP_RND,AP_SAT,0> fc3_softmax_exp_table_t;
typedef ap_fixed<18,8,AP_RND,AP_SAT,0> fc3_softmax_inv_table_t;
typedef ap_fixed<18,8,AP_RND,AP_SAT,0> fc3_softmax_inv_inp_t;

// hls-fpga-machine-learning insert emulator-defines


#endif
