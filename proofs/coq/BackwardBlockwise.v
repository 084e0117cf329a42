(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * BackwardBlockwise.v - Algorithm 3 gives the dense gradients.
 *
 * States    backward_blockwise_is_backward    each of the six gradients is the dense one, for any
 *               L, any B >= 1, any skipping that is sound for the mask, and either way of taking D
 *               back;
 *           backward_after_blockwise    the same with O, D and lse from Algorithm 1.
 * Needs     a mask that looks ahead only; O and lse of the forward pass, e(lse) being the softmax's
 *           denominator; of exp and 1/x what OnlineSoftmax.v needs. The slopes are arbitrary.
 * C file    ref/backward_blockwise.c.
 *)
Require Import Castle.Definitions Castle.Theorem1 Castle.Blocks Castle.OnlineSoftmax
  Castle.Blockwise Castle.Backward Castle.Algorithm3 Castle.BackwardRun Castle.BackwardScores
  Castle.BackwardGates.

(* Algorithm 3, from the O, lse and D that a forward pass hands over *)
Theorem backward_blockwise_is_backward {K : ring} (c : operator K) (x : inputs K) L B meets
    gate_slope penalty_slope (O : nat -> nat -> K) (lse : nat -> K) (D dO : nat -> nat ->
      K) how t k :
  (1 <= B)%nat -> ahead (allowed c) -> meets_is_sound L B (allowed c) meets ->
  rescalable (weight c) (inverse c) ->
  (forall r i, (r < L)%nat -> (i < dim c)%nat -> O r i = output c x r i) ->
  (forall r, (r < L)%nat -> weight c (lse r) = denominator c x r) ->
  (forall s i, (s < L)%nat -> D s i = partial_key c x (start L B (count L B - 1)) s i) ->
  (t < L)%nat ->
  let g := backward_blockwise c x L B meets gate_slope penalty_slope O lse D dO how in
  let dense := backward c x L gate_slope penalty_slope dO in
  QU g t k = QU dense t k /\ KU g t k = KU dense t k /\ VU g t k = VU dense t k /\
  QC g t k = QC dense t k /\ KC g t k = KC dense t k /\ VC g t k = VC dense t k.
Proof.
  intros HB Hm Hs law HO Hlse HD Ht g dense.
  pose proof (run_is_contributions c x L B meets gate_slope penalty_slope O lse D dO how
    HB Hm Hs law HO Hlse HD t k) as (H1 & H2 & H3 & H4 & H5 & H6).
  unfold g. rewrite H1, H2, H3, H4, H5, H6. destruct (block_of L B HB t Ht) as (b & Hb & Htb).
  repeat split; [eapply QU_dense|eapply KU_dense|eapply VU_dense|eapply QC_dense|eapply KC_dense
                |eapply VC_dense]; eassumption.
Qed.

(* Algorithms 1 and 3 one after the other: O, D and any logarithm of e(m) l from the forward sweep
 * *)
Corollary backward_after_blockwise {K : ring} (c : operator K) (x : inputs K) L B meets
    gate_slope penalty_slope reference (lse : nat -> K) dO how t k :
  (1 <= B)%nat -> ahead (allowed c) -> meets_is_sound L B (allowed c) meets ->
  rescalable (weight c) (inverse c) ->
  (forall r, (r < L)%nat -> weight c (lse r) =
     weight c (blockwise_m c x L B meets reference r) * blockwise_l c x L B meets reference r) ->
  (t < L)%nat ->
  let g := backward_blockwise c x L B meets gate_slope penalty_slope
             (blockwise_output c x L B meets reference) lse (blockwise_D c x L B meets reference)
             dO how in
  let dense := backward c x L gate_slope penalty_slope dO in
  QU g t k = QU dense t k /\ KU g t k = KU dense t k /\ VU g t k = VU dense t k /\
  QC g t k = QC dense t k /\ KC g t k = KC dense t k /\ VC g t k = VC dense t k.
Proof.
  intros HB Hm Hs law Hlse Ht. apply backward_blockwise_is_backward; trivial.
  - intros r i Hr _. now apply blockwise_is_sequential.
  - intros r Hr. rewrite Hlse by assumption. now apply blockwise_lse.
  - intros s i Hs'. destruct (block_of L B HB s Hs') as (j & Hj & Hsj).
    unfold blockwise_D. replace (count L B) with (S (count L B - 1)) at 1 by lia.
    rewrite (blockwise_D_is_partial_key c x L B meets reference HB Hm Hs law _ j) by (trivial; lia).
    do 2 f_equal. lia.
Qed.
