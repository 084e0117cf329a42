(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Audit.v - what each headline theorem rests on.
 *
 * `make proofs-coq` compares what this prints with assumptions.txt, line by line. Where a file
 * works over the reals its theorems are printed together, because Coq takes seconds for each print.
 *)
Require Import Castle.Causality Castle.Decode Castle.Theorem1 Castle.OnlineSoftmax
  Castle.Blockwise Castle.Layer Castle.Parameters Castle.Backward Castle.BackwardBlockwise
  Castle.Facts Castle.Linearity Castle.RealFunctions Castle.Gradient Castle.LayerGradient Castle.Rounding
  Castle.Binary32 Castle.Residues Castle.FieldValues Castle.Binary32Dots.

(* ---- Causality.v --------------------------------------------------------------------------- *)

Goal True. idtac "theorem causality". Abort.
Print Assumptions causality.
Goal True. idtac "theorem causality_lookahead_key". Abort.
Print Assumptions causality_lookahead_key.

(* ---- Decode.v ------------------------------------------------------------------------------ *)

Goal True. idtac "theorem recurrence". Abort.
Print Assumptions recurrence.
Goal True. idtac "theorem decode_is_sequential". Abort.
Print Assumptions decode_is_sequential.
Goal True. idtac "theorem decode_denominator_is_sequential". Abort.
Print Assumptions decode_denominator_is_sequential.
Goal True. idtac "theorem decode_keys_are_sequential". Abort.
Print Assumptions decode_keys_are_sequential.
Goal True. idtac "theorem window_at_rest". Abort.
Print Assumptions window_at_rest.

(* ---- Theorem1.v ---------------------------------------------------------------------------- *)

Goal True. idtac "theorem theorem1". Abort.
Print Assumptions theorem1.
Goal True. idtac "theorem theorem1_SU". Abort.
Print Assumptions theorem1_SU.
Goal True. idtac "theorem theorem1_denominator". Abort.
Print Assumptions theorem1_denominator.
Goal True. idtac "theorem theorem1_keys". Abort.
Print Assumptions theorem1_keys.
Goal True. idtac "theorem theorem1_castle". Abort.
Print Assumptions theorem1_castle.
Goal True. idtac "theorem theorem1_castle_swl". Abort.
Print Assumptions theorem1_castle_swl.

(* ---- OnlineSoftmax.v ----------------------------------------------------------------------- *)

Goal True. idtac "theorem online_softmax". Abort.
Print Assumptions online_softmax.
Goal True. idtac "theorem online_denominator". Abort.
Print Assumptions online_denominator.

(* ---- Blockwise.v --------------------------------------------------------------------------- *)

Goal True. idtac "theorem blockwise_is_sequential". Abort.
Print Assumptions blockwise_is_sequential.
Goal True. idtac "theorem blockwise_is_parallel". Abort.
Print Assumptions blockwise_is_parallel.
Goal True. idtac "theorem blockwise_lse". Abort.
Print Assumptions blockwise_lse.
Goal True. idtac "theorem blockwise_D_is_partial_key". Abort.
Print Assumptions blockwise_D_is_partial_key.
Goal True. idtac "theorem block_SU_is_lookahead_score". Abort.
Print Assumptions block_SU_is_lookahead_score.
Goal True. idtac "theorem prefill_keys". Abort.
Print Assumptions prefill_keys.
Goal True. idtac "theorem blockwise_castle". Abort.
Print Assumptions blockwise_castle.
Goal True. idtac "theorem blockwise_castle_swl". Abort.
Print Assumptions blockwise_castle_swl.

(* ---- Layer.v ------------------------------------------------------------------------------- *)

Goal True. idtac "theorem layer_parallel_is_sequential". Abort.
Print Assumptions layer_parallel_is_sequential.
Goal True. idtac "theorem layer_decode_is_sequential". Abort.
Print Assumptions layer_decode_is_sequential.
Goal True. idtac "theorem layer_blockwise_is_sequential". Abort.
Print Assumptions layer_blockwise_is_sequential.
Goal True. idtac "theorem layer_causality". Abort.
Print Assumptions layer_causality.

(* ---- Parameters.v -------------------------------------------------------------------------- *)

Goal True. idtac "theorem castle_reads_its_parameters". Abort.
Print Assumptions castle_reads_its_parameters.
Goal True. idtac "theorem castle_needs_its_parameters". Abort.
Print Assumptions castle_needs_its_parameters.
Goal True. idtac "theorem castle_parameters_distinct". Abort.
Print Assumptions castle_parameters_distinct.
Goal True. idtac "theorem castle_parameter_count". Abort.
Print Assumptions castle_parameter_count.
Goal True. idtac "theorem standard_reads_its_parameters". Abort.
Print Assumptions standard_reads_its_parameters.
Goal True. idtac "theorem standard_parameters_distinct". Abort.
Print Assumptions standard_parameters_distinct.
Goal True. idtac "theorem standard_parameter_count". Abort.
Print Assumptions standard_parameter_count.
Goal True. idtac "theorem four_sevenths". Abort.
Print Assumptions four_sevenths.

(* ---- Backward.v ---------------------------------------------------------------------------- *)

Goal True. idtac "theorem reverse_is_forward". Abort.
Print Assumptions reverse_is_forward.

(* ---- BackwardBlockwise.v ------------------------------------------------------------------- *)

Goal True. idtac "theorem backward_blockwise_is_backward". Abort.
Print Assumptions backward_blockwise_is_backward.
Goal True. idtac "theorem backward_after_blockwise". Abort.
Print Assumptions backward_after_blockwise.

(* ---- Facts.v ------------------------------------------------------------------------------- *)

Goal True. idtac "theorem wide_window_is_castle". Abort.
Print Assumptions wide_window_is_castle.
Goal True. idtac "theorem no_window_is_causal". Abort.
Print Assumptions no_window_is_causal.
Goal True. idtac "theorem no_values_is_causal". Abort.
Print Assumptions no_values_is_causal.
Goal True. idtac "theorem last_QU_gets_nothing". Abort.
Print Assumptions last_QU_gets_nothing.
Goal True. idtac "theorem first_KU_gets_nothing". Abort.
Print Assumptions first_KU_gets_nothing.
Goal True. idtac "theorem first_VU_gets_nothing". Abort.
Print Assumptions first_VU_gets_nothing.
Goal True. idtac "theorem no_window_no_gradient". Abort.
Print Assumptions no_window_no_gradient.

(* ---- Linearity.v --------------------------------------------------------------------------- *)

Goal True. idtac "theorem output_is_linear_in_VC". Abort.
Print Assumptions output_is_linear_in_VC.
Goal True. idtac "theorem lookahead_score_is_linear_in_VU". Abort.
Print Assumptions lookahead_score_is_linear_in_VU.
Goal True. idtac "theorem lookahead_score_is_linear_in_QC". Abort.
Print Assumptions lookahead_score_is_linear_in_QC.
Goal True. idtac "theorem own_score_is_causal". Abort.
Print Assumptions own_score_is_causal.
Goal True. idtac "theorem key_shift_moves_lse". Abort.
Print Assumptions key_shift_moves_lse.
Goal True. idtac "theorem key_shift_leaves_output". Abort.
Print Assumptions key_shift_leaves_output.
Goal True. idtac "theorem one_token_answers_its_value". Abort.
Print Assumptions one_token_answers_its_value.

(* ---- Residues.v, FieldValues.v -------------------------------------------------------------- *)

Goal True. idtac "theorem residue_laws". Abort.
Print Assumptions residue_laws.
Goal True. idtac "theorem evaluated_is_sequential". Abort.
Print Assumptions evaluated_is_sequential.
Goal True. idtac "theorem evaluated_is_parallel". Abort.
Print Assumptions evaluated_is_parallel.
Goal True. idtac "theorem denominators_invert". Abort.
Print Assumptions denominators_invert.

(* ---- RealFunctions.v ----------------------------------------------------------------------- *)

Definition RealFunctions_all :=
  conj (@sigmoid_derivative) (
  conj (@silu_derivative) (
  conj (@silu_least) (
  conj (@lookahead_raises_little) (
  conj (@silu_unbounded) (
  conj (@exp_rescalable) (
  conj (@real_blockwise_is_sequential) (
  @real_blockwise_lse))))))).
Goal True. idtac "theorem sigmoid_derivative". Abort.
Goal True. idtac "theorem silu_derivative". Abort.
Goal True. idtac "theorem silu_least". Abort.
Goal True. idtac "theorem lookahead_raises_little". Abort.
Goal True. idtac "theorem silu_unbounded". Abort.
Goal True. idtac "theorem exp_rescalable". Abort.
Goal True. idtac "theorem real_blockwise_is_sequential". Abort.
Goal True. idtac "theorem real_blockwise_lse". Abort.
Print Assumptions RealFunctions_all.

(* ---- Gradient.v ---------------------------------------------------------------------------- *)

Definition Gradient_all :=
  conj (@gradient_is_derivative) (
  conj (@directional_derivative) (
  conj (@directional_derivative_castle) (
  conj (@directional_derivative_castle_swl) (
  @blockwise_gradient_is_derivative)))).
Goal True. idtac "theorem gradient_is_derivative". Abort.
Goal True. idtac "theorem directional_derivative". Abort.
Goal True. idtac "theorem directional_derivative_castle". Abort.
Goal True. idtac "theorem directional_derivative_castle_swl". Abort.
Goal True. idtac "theorem blockwise_gradient_is_derivative". Abort.
Print Assumptions Gradient_all.

(* ---- LayerGradient.v ----------------------------------------------------------------------- *)

Definition LayerGradient_all :=
  @layer_gradient_is_derivative.
Goal True. idtac "theorem layer_gradient_is_derivative". Abort.
Print Assumptions LayerGradient_all.

(* ---- Rounding.v ---------------------------------------------------------------------------- *)

Definition Rounding_all :=
  @product_bound.
Goal True. idtac "theorem product_bound". Abort.
Print Assumptions Rounding_all.

(* ---- Binary32.v ---------------------------------------------------------------------------- *)

Definition Binary32_all :=
  conj (@binary32_is_gradual) (
  conj (@binary32_flush_before_is_flushing) (
  conj (@binary32_flush_after_is_flushing) (
  conj (@binary32_product_bound) (
  conj (@binary32_inexact_operands) (
  conj (@causal_score_bound) (
  conj (@folded_score_bound) (
  conj (@attention_score_bound) (
  @one_attention_score)))))))).
Goal True. idtac "theorem binary32_is_gradual". Abort.
Goal True. idtac "theorem binary32_flush_before_is_flushing". Abort.
Goal True. idtac "theorem binary32_flush_after_is_flushing". Abort.
Goal True. idtac "theorem binary32_product_bound". Abort.
Goal True. idtac "theorem binary32_inexact_operands". Abort.
Goal True. idtac "theorem causal_score_bound". Abort.
Goal True. idtac "theorem folded_score_bound". Abort.
Goal True. idtac "theorem attention_score_bound". Abort.
Goal True. idtac "theorem one_attention_score". Abort.
Print Assumptions Binary32_all.

(* ---- Binary32Dots.v ------------------------------------------------------------------------ *)

Definition Binary32Dots_all :=
  conj (@float_computed) (@float_dot_bound).
Goal True. idtac "theorem float_computed". Abort.
Goal True. idtac "theorem float_dot_bound". Abort.
Print Assumptions Binary32Dots_all.
