(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * BackwardGates.v - Algorithm 3's contributions to dQU and dKU are the dense gradients.
 *
 * C file    ref/backward_blockwise.c: through_gates, within a block and through the update of D.
 *)
Require Import Castle.Definitions Castle.Theorem1 Castle.Blocks Castle.Blockwise Castle.Backward
  Castle.Algorithm3 Castle.BackwardRun Castle.BackwardScores.
Require Import Ring.

Section Sums.

Context {K : ring}.
Add Ring K_ring : (laws K).
Variables (c : operator K) (x : inputs K) (L B : nat) (meets : nat -> nat -> bool).
Variables gate_slope penalty_slope : K -> K.
Variable dO : nat -> nat -> K.
Hypothesis B_positive : (1 <= B)%nat.
Hypothesis mask_ahead : ahead (allowed c).
Hypothesis sound : meets_is_sound L B (allowed c) meets.
Local Notation start := (Blocks.start L B).
Local Notation count := (Blocks.count L B).
Local Notation G := (Theorem1.G c x).
Local Notation T1 := (Theorem1.T1 c x).
Local Notation P := (Theorem1.P c x L).
Local Notation dS := (Backward.dS c x L dO).
Local Notation dSU := (Backward.dSU c x L penalty_slope dO).
Local Notation later := (BackwardRun.later c x L B penalty_slope dO).
Local Notation contribution := (BackwardRun.contribution c x L B meets gate_slope penalty_slope dO).
Local Notation contributions := (BackwardRun.contributions c x L B meets gate_slope penalty_slope
  dO).

(* dG, by blocks of queries: what T_e itself sees of its tokens, and what comes to D_j later *)
Definition dG_block (e s r : nat) : K := \sum_(start e <= q < start (S e)) dSU q s * T1 q r.
Definition dG_later (i s r : nat) : K := dot (dim c) (later i s) (VU x r).
Definition gated (A : nat -> nat -> K) (s r : nat) : K :=
  masked (allowed c) A s r * gate_slope (G s r).

Lemma dZ_split e s r :
  (start e <= r < start (S e))%nat ->
  gated (dG_block e) s r + gated (dG_later (S e)) s r =
  dZ c x L gate_slope penalty_slope dO s r.
Proof.
  intros Hr. pose proof (start_le L B (S e)) as HL.
  assert (H : dG_block e s r + dG_later (S e) s r = \sum_(q < L) dSU q s * T1 q r).
  { rewrite <- (range_from_0 L), (range_cat 0 (start e) L), (range_cat (start e) (start (S e)) L)
      by lia.
    rewrite (range_zero 0 (start e)).
    2: { intros q Hq. unfold Theorem1.T1, masked, tril. destruct (Nat.leb_spec r q); [lia|ring]. }
    assert (Hlater : \sum_(start (S e) <= q < L) (dSU q s * T1 q r) = dG_later (S e) s r).
    { unfold dG_later, dot, later.
      rewrite (sum_ext (dim c) _ (fun k => \sum_(start (S e) <= q < L)
        scale c * (dSU q s * QC x q k) * VU x r k)).
      2: { intros k _. now rewrite range_mul_r, range_mul_l. }
      unfold range_sum. rewrite sum_exchange. apply sum_ext. intros q Hq.
      unfold Theorem1.T1, masked, tril, scaled, product_nt.
      destruct (Nat.leb_spec r (start (S e) + q)); [|lia].
      rewrite <- !sum_mul_l. apply sum_ext. intros k _. ring. }
    rewrite Hlater. unfold dG_block. ring. }
  unfold gated, dZ, dG, masked. destruct (allowed c s r); [rewrite <- H|]; ring.
Qed.

Lemma gated_skipped j e s r A :
  meets j e = false -> (start j <= s < start (S j))%nat -> (start e <= r < start (S e))%nat ->
  gated A s r = 0.
Proof.
  intros. unfold gated, masked. rewrite (mask_skipped c L B meets sound j e) by assumption. ring.
Qed.

Lemma gated_later_last s r : gated (dG_later count) s r = 0.
Proof.
  assert (H : dG_later count s r = 0).
  { apply sum_zero. intros k _. unfold later. rewrite start_count by assumption.
    rewrite range_zero by (intros; lia). ring. }
  unfold gated, masked. rewrite H. destruct (allowed c s r); ring.
Qed.

Lemma dZ_zero s r : (r <= s)%nat -> dZ c x L gate_slope penalty_slope dO s r = 0.
Proof.
  intros H. unfold dZ, dG, masked. destruct (allowed c s r) eqn:E; [|ring].
  apply mask_ahead in E. lia.
Qed.

Section Token.

Variables b t k : nat.
Hypothesis b_small : (b < count)%nat.
Hypothesis t_in : (start b <= t < start (S b))%nat.

Lemma QU_dense : QU contributions t k = dQU c x L gate_slope penalty_slope dO t k.
Proof.
  rewrite (sum_of_contributions c x L B meets gate_slope penalty_slope dO B_positive QU) by
    (split; reflexivity).
  set (near := fun i => scale c *
    \sum_(start i <= r < start (S i)) gated (dG_block i) t r * KU x r k).
  set (far := fun e => scale c *
    \sum_(start e <= r < start (S e)) gated (dG_later (S e)) t r * KU x r k).
  transitivity (\sum_(j < count) \sum_(j <= i < count)
    (if in_block L B j t then near i + (if j <? i then far (i - 1)%nat else 0) else 0)).
  - apply sum_ext. intros j _. apply range_ext. intros i _.
    unfold contribution, block_gradients, update_gradients.
    assert (Hnear : meets j i = false -> in_block L B j t = true -> near i = 0).
    { intros E Ht. apply in_block_iff in Ht. unfold near. rewrite range_zero; [ring|].
      intros r Hr. rewrite (gated_skipped j i) by assumption. ring. }
    assert (Hfar : meets j (i - 1) = false -> in_block L B j t = true -> far (i - 1)%nat = 0).
    { intros E Ht. apply in_block_iff in Ht. unfold far. rewrite range_zero; [ring|].
      intros r Hr. rewrite (gated_skipped j (i - 1)) by assumption. ring. }
    assert (Hi : (j < i)%nat -> far (i - 1)%nat = scale c *
      (\sum_(start (i - 1) <= r < start (S (i - 1))) gated (dG_later i) t r * KU x r k)).
    { intros H. unfold far. replace (S (i - 1)) with i by lia. reflexivity. }
    destruct (i =? j), (meets j i), (Nat.ltb_spec j i), (meets j (i - 1));
      cbn [QU plus nothing through_gates]; unfold rows_of; destruct (in_block L B j t);
      rewrite ?Hnear, ?Hfar by reflexivity; rewrite ?Hi by assumption;
      unfold near, gated, dG_block, dG_later; ring.
  - rewrite (pick_column L B B_positive b t
      (fun i j => near i + (if j <? i then far (i - 1)%nat else 0))) by assumption.
    assert (Hlast : far (count - 1)%nat = 0).
    { unfold far. replace (S (count - 1)) with count by lia. rewrite range_zero; [ring|].
      intros r _. rewrite gated_later_last. ring. }
    rewrite range_add, (pick_updated_column L B B_positive b far) by assumption.
    rewrite <- range_add.
    rewrite (range_ext b count _ (fun e => \sum_(start e <= r < start (S e))
      scale c * (dZ c x L gate_slope penalty_slope dO t r * KU x r k))).
    + rewrite (from_block L B B_positive) by (assumption || (intros r Hr; rewrite dZ_zero
        by lia; ring)).
      apply sum_mul_l.
    + intros e _. unfold near, far. rewrite <- !range_mul_l, <- range_add. apply range_ext.
      intros r Hr. rewrite <- (dZ_split e) by assumption. ring.
Qed.

Lemma KU_dense : KU contributions t k = dKU c x L gate_slope penalty_slope dO t k.
Proof.
  rewrite (sum_of_contributions c x L B meets gate_slope penalty_slope dO B_positive KU) by
    (split; reflexivity).
  set (near := fun i j => scale c *
    \sum_(start j <= s < start (S j)) gated (dG_block i) s t * QU x s k).
  set (far := fun i j => scale c *
    \sum_(start j <= s < start (S j)) gated (dG_later i) s t * QU x s k).
  transitivity (
    \sum_(j < count) \sum_(j <= i < count) (if in_block L B i t then near i j else 0) +
    \sum_(j < count) \sum_(j <= i < count)
      (if j <? i then if in_block L B (i - 1) t then far i j else 0 else 0)).
  - rewrite <- sum_add. apply sum_ext. intros j _. rewrite <- range_add. apply range_ext.
    intros i _. unfold contribution, block_gradients, update_gradients.
    assert (Hnear : meets j i = false -> in_block L B i t = true -> near i j = 0).
    { intros E Ht. apply in_block_iff in Ht. unfold near. rewrite range_zero; [ring|].
      intros s Hs. rewrite (gated_skipped j i) by assumption. ring. }
    assert (Hfar : meets j (i - 1) = false -> in_block L B (i - 1) t = true -> far i j = 0).
    { intros E Ht. apply in_block_iff in Ht. unfold far. rewrite range_zero; [ring|].
      intros s Hs. rewrite (gated_skipped j (i - 1)) by assumption. ring. }
    destruct (i =? j), (meets j i), (j <? i), (meets j (i - 1));
      cbn [KU plus nothing through_gates]; unfold rows_of;
      destruct (in_block L B i t), (in_block L B (i - 1) t);
      rewrite ?Hnear, ?Hfar by reflexivity;
      unfold near, far, gated, dG_block, dG_later; ring.
  - rewrite (pick_row L B B_positive b) by assumption.
    rewrite (pick_updated_row L B B_positive b t far); trivial.
    2: { intros j. unfold far. rewrite range_zero; [ring|]. intros s _.
         rewrite gated_later_last. ring. }
    rewrite <- sum_add.
    rewrite (sum_ext (S b) _ (fun j => \sum_(start j <= s < start (S j))
      scale c * (dZ c x L gate_slope penalty_slope dO s t * QU x s k))).
    + rewrite (up_to_block L B) by (intros s Hs; rewrite dZ_zero by lia; ring).
      apply sum_mul_l.
    + intros j _. unfold near, far. rewrite <- !range_mul_l, <- range_add. apply range_ext.
      intros s _. rewrite <- (dZ_split b) by assumption. ring.
Qed.

End Token.

End Sums.
