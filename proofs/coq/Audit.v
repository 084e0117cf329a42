(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Audit.v - what each headline theorem rests on.
 *
 * `make proofs-coq` compares what this prints with assumptions.txt, line by line.
 *)
Require Import Castle.Causality Castle.Decode Castle.Theorem1 Castle.OnlineSoftmax
  Castle.Blockwise Castle.Layer.

(* ---- Causality.v --------------------------------------------------------------------------------- *)

Goal True. idtac "causality". Abort.
Print Assumptions causality.
Goal True. idtac "causality_lookahead_key". Abort.
Print Assumptions causality_lookahead_key.

(* ---- Decode.v ------------------------------------------------------------------------------------ *)

Goal True. idtac "recurrence". Abort.
Print Assumptions recurrence.
Goal True. idtac "decode_is_sequential". Abort.
Print Assumptions decode_is_sequential.
Goal True. idtac "decode_denominator_is_sequential". Abort.
Print Assumptions decode_denominator_is_sequential.
Goal True. idtac "decode_keys_are_sequential". Abort.
Print Assumptions decode_keys_are_sequential.
Goal True. idtac "window_at_rest". Abort.
Print Assumptions window_at_rest.

(* ---- Theorem1.v ---------------------------------------------------------------------------------- *)

Goal True. idtac "theorem1". Abort.
Print Assumptions theorem1.
Goal True. idtac "theorem1_SU". Abort.
Print Assumptions theorem1_SU.
Goal True. idtac "theorem1_denominator". Abort.
Print Assumptions theorem1_denominator.
Goal True. idtac "theorem1_keys". Abort.
Print Assumptions theorem1_keys.
Goal True. idtac "theorem1_castle". Abort.
Print Assumptions theorem1_castle.
Goal True. idtac "theorem1_castle_swl". Abort.
Print Assumptions theorem1_castle_swl.

(* ---- OnlineSoftmax.v ----------------------------------------------------------------------------- *)

Goal True. idtac "online_softmax". Abort.
Print Assumptions online_softmax.
Goal True. idtac "online_denominator". Abort.
Print Assumptions online_denominator.

(* ---- Blockwise.v --------------------------------------------------------------------------------- *)

Goal True. idtac "blockwise_is_sequential". Abort.
Print Assumptions blockwise_is_sequential.
Goal True. idtac "blockwise_is_parallel". Abort.
Print Assumptions blockwise_is_parallel.
Goal True. idtac "blockwise_lse". Abort.
Print Assumptions blockwise_lse.
Goal True. idtac "blockwise_D_is_partial_key". Abort.
Print Assumptions blockwise_D_is_partial_key.
Goal True. idtac "block_SU_is_lookahead_score". Abort.
Print Assumptions block_SU_is_lookahead_score.
Goal True. idtac "prefill_keys". Abort.
Print Assumptions prefill_keys.
Goal True. idtac "blockwise_castle". Abort.
Print Assumptions blockwise_castle.
Goal True. idtac "blockwise_castle_swl". Abort.
Print Assumptions blockwise_castle_swl.

(* ---- Layer.v ------------------------------------------------------------------------------------- *)

Goal True. idtac "layer_parallel_is_sequential". Abort.
Print Assumptions layer_parallel_is_sequential.
Goal True. idtac "layer_decode_is_sequential". Abort.
Print Assumptions layer_decode_is_sequential.
Goal True. idtac "layer_blockwise_is_sequential". Abort.
Print Assumptions layer_blockwise_is_sequential.
Goal True. idtac "layer_causality". Abort.
Print Assumptions layer_causality.
Goal True. idtac "castle_reads_its_parameters". Abort.
Print Assumptions castle_reads_its_parameters.
Goal True. idtac "standard_reads_its_parameters". Abort.
Print Assumptions standard_reads_its_parameters.
Goal True. idtac "castle_parameter_count". Abort.
Print Assumptions castle_parameter_count.
Goal True. idtac "standard_parameter_count". Abort.
Print Assumptions standard_parameter_count.
Goal True. idtac "four_sevenths". Abort.
Print Assumptions four_sevenths.
