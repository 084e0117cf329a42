(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * BackwardBlockwise.v - Algorithm 3: the gradients, block by block, equal the dense ones.
 *
 * States    the algorithm as the C text runs it: key block by key block, query blocks from the last down,
 *           with D_j taken back by subtraction (33) or from sums kept on the way up; and that
 *             backward_blockwise_is_backward    each of the six gradients is the dense one,
 *           for any L, any B >= 1, and any skipping that is sound for the mask.
 * Needs     a mask that looks ahead only; O and lse of the forward pass, e(lse) being the softmax's
 *           denominator; of exp and 1/x what OnlineSoftmax.v needs. The slopes are arbitrary.
 * C file    ref/backward_blockwise.c.
 *)
Require Import Castle.Definitions Castle.Causality Castle.Theorem1 Castle.Blocks
  Castle.OnlineSoftmax Castle.Blockwise Castle.Backward.
Require Import Ring.

Inductive take_back_by := by_subtraction | by_recomputation.

Section Algorithm.

Context {K : ring}.
Variables (c : operator K) (x : inputs K).
Variables (L B : nat) (meets : nat -> nat -> bool).
Variables gate_slope penalty_slope : K -> K.
Variables (O : nat -> nat -> K) (lse : nat -> K) (D : nat -> nat -> K). (* of the forward pass *)
Variable dO : nat -> nat -> K.
Variable how : take_back_by.
Let start := start L B.
Let in_block := in_block L B.
Let count := count L B.
Let G := G c x.
Let T1 := T1 c x.

(* Six gradients: none, the sum of two, the sum of many; and a block of rows of one matrix *)
Definition nothing : inputs K :=
  let z (_ _ : nat) : K := 0 in Inputs z z z z z z.
Definition plus (g g' : inputs K) : inputs K :=
  let add_ (A A' : nat -> nat -> K) (t k : nat) : K := A t k + A' t k in
  Inputs (add_ (QU g) (QU g')) (add_ (KU g) (KU g')) (add_ (VU g) (VU g'))
         (add_ (QC g) (QC g')) (add_ (KC g) (KC g')) (add_ (VC g) (VC g')).
Fixpoint total (n : nat) (g : nat -> inputs K) : inputs K :=
  match n with
  | 0%nat => nothing
  | S m => plus (total m g) (g m)
  end.
Definition rows_of (i : nat) (A : nat -> nat -> K) : nat -> nat -> K :=
  fun t k => if in_block i t then A t k else 0.
Let z : nat -> nat -> K := fun _ _ => 0.

(* ---- queries T_i, keys T_j, given D_j in A: the forward quantities again, then dS and dSU --------- *)

Definition block_P (A : nat -> nat -> K) (i j t s : nat) : K :=
  if tril t s then weight c (block_score c x L B A i j t s - lse t) else 0.
Definition block_dS (A : nat -> nat -> K) (i j t s : nat) : K :=
  block_P A i j t s * (dot (dim c) (dO t) (VC x s) - dot (dim c) (dO t) (O t)).
Definition block_dSU (A : nat -> nat -> K) (i j t s : nat) : K :=
  - (block_dS A i j t s * penalty_slope (block_SU c x L B A i j t s)).

(* G = sigmoid(scale QU_j KU_e^T), given dG *)
Definition through_gates (j e : nat) (dG : nat -> nat -> K) : inputs K :=
  let dZ s r := masked (allowed c) dG s r * gate_slope (G s r) in
  Inputs
    (rows_of j (fun s k => scale c * \sum_(start e <= r < start (S e)) dZ s r * KU x r k))
    (rows_of e (fun r k => scale c * \sum_(start j <= s < start (S j)) dZ s r * QU x s k))
    z z z z.

(* What block (i, j) adds to the gradients, D_j's apart *)
Definition block_gradients (P dS dSU : nat -> nat -> K) (A : nat -> nat -> K) (i j : nat) :
  inputs K :=
  let dT1 := masked tril (fun t r => \sum_(start j <= s < start (S j)) dSU t s * G s r) in
  let dG s r := \sum_(start i <= t < start (S i)) dSU t s * T1 t r in
  plus
    (plus
      (Inputs z z z
        (rows_of i (fun t k => scale c * \sum_(start j <= s < start (S j)) dS t s * KC x s k))
        (rows_of j (fun s k => scale c * \sum_(start i <= t < start (S i)) dS t s * QC x t k))
        (rows_of j (fun s k => \sum_(start i <= t < start (S i)) P t s * dO t k)))
      (if i =? j then nothing else
       Inputs z z z
        (rows_of i (fun t k => scale c * \sum_(start j <= s < start (S j)) dSU t s * A s k)) z z))
    (if meets j i then
      plus
        (Inputs z z
          (rows_of i (fun r k => scale c * \sum_(start i <= t < start (S i)) dT1 t r * QC x t k))
          (rows_of i (fun t k => scale c * \sum_(start i <= r < start (S i)) dT1 t r * VU x r k))
          z z)
        (through_gates j i dG)
     else nothing).

(* D_j = D_j + G VU_e, inverted *)
Definition update_gradients (dD : nat -> nat -> K) (j e : nat) : inputs K :=
  if meets j e then
    plus
      (Inputs z z (rows_of e (fun r k => \sum_(start j <= s < start (S j)) G s r * dD s k)) z z z)
      (through_gates j e (fun s r => dot (dim c) (dD s) (VU x r)))
  else nothing.

(* ---- the run of key block j ------------------------------------------------------------------- *)

Record backward_state := BackwardState {
  Dj : nat -> nat -> K; dDj : nat -> nat -> K; gradients : inputs K }.

(* D_j before query block i, from sums kept on the way up *)
Definition kept (j i s k : nat) : K :=
  \sum_(j <= e < i | meets j e) block_addition c x L B e s k.

(* (33) *)
Definition take_back (A : nat -> nat -> K) (j e : nat) : nat -> nat -> K :=
  if meets j e then fun s k => A s k - block_addition c x L B e s k else A.

Definition backward_block (i j : nat) (st : backward_state) : backward_state :=
  let A := match how with by_subtraction => Dj st | by_recomputation => kept j i end in
  let dSU := block_dSU A i j in
  let dD : nat -> nat -> K :=
    if i =? j then dDj st
    else fun s k => dDj st s k + scale c * \sum_(start i <= t < start (S i)) dSU t s * QC x t k in
  let g := plus (gradients st) (block_gradients (block_P A i j) (block_dS A i j) dSU A i j) in
  if j <? i
  then BackwardState (take_back A j (i - 1)) dD (plus g (update_gradients dD j (i - 1)))
  else BackwardState A dD g.

(* Query blocks count - 1, count - 2, .. : the first n of them *)
Fixpoint backward_keys (j n : nat) : backward_state :=
  match n with
  | 0%nat => BackwardState D (fun _ _ => 0) nothing
  | S m => backward_block (count - n) j (backward_keys j m)
  end.

Definition backward_blockwise : inputs K :=
  total count (fun j => gradients (backward_keys j (count - j))).

End Algorithm.

(* ---- sums over blocks --------------------------------------------------------------------------- *)

Section BlockSums.

Context {K : ring}.
Add Ring K_ring : (laws K).
Variables L B : nat.
Hypothesis B_positive : (1 <= B)%nat.
Let start := start L B.
Let count := count L B.

Lemma range_blocks_from a b (f : nat -> K) :
  (a <= b)%nat ->
  \sum_(a <= i < b) \sum_(start i <= t < start (S i)) f t = \sum_(start a <= t < start b) f t.
Proof.
  intros Hab. induction Hab as [|b Hab IH].
  - rewrite !range_zero; intros; try lia. reflexivity.
  - rewrite (range_cat a b (S b)), IH by lia. rewrite (range_one b (S b) b) by lia.
    rewrite <- range_cat; [reflexivity|]. split; apply start_mono; lia.
Qed.

(* the terms of one row *)
Lemma pick_block b s (f : nat -> K) :
  (b < count)%nat -> (start b <= s < start (S b))%nat ->
  \sum_(j < count) (if in_block L B j s then f j else 0) = f b.
Proof.
  intros Hb Hs. rewrite (sum_one _ b); trivial.
  - now rewrite (proj2 (in_block_iff L B b s) Hs).
  - intros i Hi Hne. destruct (in_block L B i s) eqn:E; [|reflexivity].
    apply in_block_iff in E. destruct Hne. now apply (block_unique L B B_positive i b s).
Qed.

Lemma pick_block_range a n b s (f : nat -> K) :
  (start b <= s < start (S b))%nat ->
  \sum_(a <= i < n) (if in_block L B i s then f i else 0) =
  if (a <=? b) && (b <? n) then f b else 0.
Proof.
  intros Hs. destruct (Nat.leb_spec a b), (Nat.ltb_spec b n); simpl.
  1: { rewrite (range_one a n b); [now rewrite (proj2 (in_block_iff L B b s) Hs)|lia|].
       intros i Hi Hne. destruct (in_block L B i s) eqn:E; [|reflexivity].
       apply in_block_iff in E. destruct Hne. now apply (block_unique L B B_positive i b s). }
  all: apply range_zero; intros i Hi; destruct (in_block L B i s) eqn:E; trivial;
       apply in_block_iff in E; assert (i = b) by (now apply (block_unique L B B_positive i b s));
       lia.
Qed.

(* blocks (i, j), j <= i, that reach a row of T_b by i *)
Lemma pick_row b t (f : nat -> nat -> K) :
  (b < count)%nat -> (start b <= t < start (S b))%nat ->
  \sum_(j < count) \sum_(j <= i < count) (if in_block L B i t then f i j else 0) =
  \sum_(j < S b) f b j.
Proof.
  intros Hb Ht. rewrite <- (sum_tril count b) by assumption. apply sum_ext. intros j Hj.
  rewrite (pick_block_range j count b) by assumption. unfold tril.
  destruct (Nat.ltb_spec b count); [|lia]. now rewrite andb_true_r.
Qed.

(* ... by j, *)
Lemma pick_column b s (f : nat -> nat -> K) :
  (b < count)%nat -> (start b <= s < start (S b))%nat ->
  \sum_(j < count) \sum_(j <= i < count) (if in_block L B j s then f i j else 0) =
  \sum_(b <= i < count) f i b.
Proof.
  intros Hb Hs. rewrite <- (pick_block b s (fun j => \sum_(j <= i < count) f i j)) by assumption.
  apply sum_ext. intros j _. destruct (in_block L B j s); [reflexivity|].
  apply range_zero. reflexivity.
Qed.

(* ... and by the update that precedes query block i *)
Lemma pick_updated_row b r (f : nat -> nat -> K) :
  (b < count)%nat -> (start b <= r < start (S b))%nat -> (forall j, f count j = 0) ->
  \sum_(j < count) \sum_(j <= i < count)
    (if j <? i then if in_block L B (i - 1) r then f i j else 0 else 0) =
  \sum_(j < S b) f (S b) j.
Proof.
  intros Hb Hr Hlast. rewrite <- (sum_tril count b) by assumption. apply sum_ext. intros j Hj.
  assert (Hother : forall i, (j <= i < count)%nat -> i <> S b ->
    (if j <? i then if in_block L B (i - 1) r then f i j else 0 else 0) = 0).
  { intros i Hi Hne. destruct (Nat.ltb_spec j i); [|reflexivity].
    destruct (in_block L B (i - 1) r) eqn:E; [|reflexivity]. apply in_block_iff in E.
    assert (i - 1 = b)%nat by (now apply (block_unique L B B_positive (i - 1) b r)). lia. }
  unfold tril. destruct (Nat.leb_spec j b).
  - destruct (Nat.lt_ge_cases (S b) count) as [H1|H1].
    + rewrite (range_one j count (S b)); [|lia|exact Hother].
      destruct (Nat.ltb_spec j (S b)); [|lia]. replace (S b - 1)%nat with b by lia.
      now rewrite (proj2 (in_block_iff L B b r) Hr).
    + replace (S b) with count by lia. rewrite Hlast. apply range_zero. intros i Hi.
      apply Hother; lia.
  - apply range_zero. intros i Hi. destruct (Nat.eq_dec i (S b)) as [->|Hne].
    + destruct (Nat.ltb_spec j (S b)); [lia|reflexivity].
    + apply Hother; lia.
Qed.

Lemma pick_updated_column b (f : nat -> K) :
  (b < count)%nat -> f (count - 1)%nat = 0 ->
  \sum_(b <= i < count) (if b <? i then f (i - 1)%nat else 0) = \sum_(b <= e < count) f e.
Proof.
  intros Hb Hlast. rewrite (range_cat b (S b) count) by lia. rewrite (range_one b (S b) b) by lia.
  destruct (Nat.ltb_spec b b); [lia|]. unfold range_sum.
  replace (count - b)%nat with (S (count - S b)) by lia. rewrite sum_S.
  replace (b + (count - S b))%nat with (count - 1)%nat by lia. rewrite Hlast.
  rewrite (sum_ext (count - S b) _ (fun i => f (b + i)%nat)); [ring|].
  intros i Hi. destruct (Nat.ltb_spec b (S b + i)); [|lia]. f_equal. lia.
Qed.

End BlockSums.

(* ---- the proof ---------------------------------------------------------------------------------- *)

Section Proof.

Context {K : ring}.
Add Ring K_ring : (laws K).
Variables (c : operator K) (x : inputs K) (L B : nat) (meets : nat -> nat -> bool).
Variables gate_slope penalty_slope : K -> K.
Variables (O : nat -> nat -> K) (lse : nat -> K) (D : nat -> nat -> K) (dO : nat -> nat -> K).
Variable how : take_back_by.
Hypothesis B_positive : (1 <= B)%nat.
Hypothesis mask_ahead : ahead (allowed c).
Hypothesis sound : meets_is_sound L B (allowed c) meets.
Hypothesis law : rescalable (weight c) (inverse c).
Local Notation start := (Blocks.start L B).
Local Notation count := (Blocks.count L B).
Local Notation G := (Theorem1.G c x).
Local Notation T1 := (Theorem1.T1 c x).
Local Notation P := (Theorem1.P c x L).
Local Notation dS := (Backward.dS c x L dO).
Local Notation dSU := (Backward.dSU c x L penalty_slope dO).

(* What the forward pass hands over *)
Hypothesis O_is_output : forall t k, (t < L)%nat -> (k < dim c)%nat -> O t k = output c x t k.
Hypothesis lse_is_log : forall t, (t < L)%nat -> weight c (lse t) = denominator c x t.
Hypothesis D_is_partial_key : forall s k, (s < L)%nat ->
  D s k = partial_key c x (start (count - 1)) s k.

(* P = exp(S - lse) *)
Lemma P_from_lse t s :
  (t < L)%nat -> (s <= t)%nat -> weight c (score c x t s - lse t) = P t s.
Proof.
  intros Ht Hs. rewrite theorem1_P by assumption. unfold attention.
  pose proof (weight_cancels _ _ law (lse t)) as H1.
  pose proof (inverse_law _ _ law _ _ 1 H1) as H2. rewrite (inverse_1 _ _ law) in H2.
  rewrite <- (lse_is_log t Ht).
  replace (weight c (lse t)) with (weight c (lse t) * 1) by ring. rewrite H2.
  replace (score c x t s - lse t) with (score c x t s + (0 - lse t)) by ring.
  rewrite (weight_law _ _ law). ring.
Qed.

(* dD_j as it is before query block i - 1 is taken in: all queries from T_i on *)
Definition later (i s k : nat) : K := scale c * \sum_(start i <= t < L) dSU t s * QC x t k.

(* Inside a block the quantities are the dense ones. *)
Section Block.

Variables (A : nat -> nat -> K) (i j : nat).
Hypothesis j_before_i : (j <= i)%nat.
Hypothesis A_is_partial_key : (j < i)%nat ->
  forall s k, (start j <= s < start (S j))%nat -> A s k = partial_key c x (start i) s k.
Variables t s : nat.
Hypothesis t_in : (start i <= t < start (S i))%nat.
Hypothesis s_in : (start j <= s < start (S j))%nat.

Let t_small : (t < L)%nat.
Proof. pose proof (start_le L B (S i)). lia. Qed.

Lemma block_SU_dense : block_SU c x L B A i j t s = SU c x L t s.
Proof.
  rewrite theorem1_SU by exact t_small.
  apply block_SU_is_lookahead_score; trivial. intros H k _. now apply A_is_partial_key.
Qed.

Lemma block_P_dense : block_P c x L B lse A i j t s = P t s.
Proof.
  unfold block_P. destruct (tril t s) eqn:E.
  - rewrite <- P_from_lse; [|exact t_small|now apply Nat.leb_le].
    unfold block_score, score. now rewrite block_SU_dense, theorem1_SU by exact t_small.
  - unfold Theorem1.P, masked. now rewrite E.
Qed.

Lemma block_dS_dense : block_dS c x L B O lse dO A i j t s = dS t s.
Proof.
  unfold block_dS, Backward.dS. rewrite block_P_dense.
  unfold dP, masked. destruct (tril t s) eqn:E.
  - f_equal. f_equal. apply dot_ext. intros k Hk. split; [reflexivity|].
    rewrite O_is_output by (try exact t_small; assumption). symmetry. apply theorem1. exact t_small.
  - unfold Theorem1.P, masked. rewrite E. ring.
Qed.

Lemma block_dSU_dense : block_dSU c x L B penalty_slope O lse dO A i j t s = dSU t s.
Proof.
  unfold block_dSU, Backward.dSU. now rewrite block_dS_dense, block_SU_dense.
Qed.

End Block.

(* ---- entrywise equality of six matrices ------------------------------------------------------- *)

Definition same (g g' : inputs K) : Prop := forall t k,
  QU g t k = QU g' t k /\ KU g t k = KU g' t k /\ VU g t k = VU g' t k /\
  QC g t k = QC g' t k /\ KC g t k = KC g' t k /\ VC g t k = VC g' t k.

Lemma same_plus g g' h h' : same g h -> same g' h' -> same (plus g g') (plus h h').
Proof.
  intros H H' t k. destruct (H t k) as (? & ? & ? & ? & ? & ?).
  destruct (H' t k) as (? & ? & ? & ? & ? & ?). simpl. repeat split; congruence.
Qed.

Lemma same_refl g : same g g.
Proof. intros t k. repeat split. Qed.

Lemma same_trans g g' g'' : same g g' -> same g' g'' -> same g g''.
Proof.
  intros H H' t k. destruct (H t k) as (? & ? & ? & ? & ? & ?).
  destruct (H' t k) as (? & ? & ? & ? & ? & ?). repeat split; congruence.
Qed.

Lemma plus_assoc a b g : same (plus (plus a b) g) (plus a (plus b g)).
Proof. intros t k. simpl. repeat split; ring. Qed.

Lemma plus_nothing a b : same (plus a b) (plus a (plus b nothing)).
Proof. intros t k. simpl. repeat split; ring. Qed.

(* into a sum, past a factor in front of it *)
Ltac inside := try match goal with |- mul ?a _ = mul ?a _ => f_equal end.

Lemma rows_of_ext i (A A' : nat -> nat -> K) t k :
  ((start i <= t < start (S i))%nat -> A t k = A' t k) ->
  rows_of L B i A t k = rows_of L B i A' t k.
Proof.
  intros H. unfold rows_of. destruct (in_block L B i t) eqn:E; [|reflexivity].
  apply H. now apply in_block_iff.
Qed.

Lemma through_gates_ext j e (dG dG' : nat -> nat -> K) :
  (forall s r, (start j <= s < start (S j))%nat -> (start e <= r < start (S e))%nat ->
     dG s r = dG' s r) ->
  same (through_gates c x L B gate_slope j e dG) (through_gates c x L B gate_slope j e dG').
Proof.
  intros H t k. unfold through_gates. simpl.
  repeat split; apply rows_of_ext; intros Ht; f_equal; apply range_ext; intros r Hr;
    unfold masked; now rewrite H.
Qed.

Lemma block_gradients_ext (P1 P2 dS1 dS2 dSU1 dSU2 A1 A2 : nat -> nat -> K) i j :
  (forall t s, (start i <= t < start (S i))%nat -> (start j <= s < start (S j))%nat ->
     P1 t s = P2 t s /\ dS1 t s = dS2 t s /\ dSU1 t s = dSU2 t s) ->
  ((i <> j)%nat -> forall s k, (start j <= s < start (S j))%nat -> A1 s k = A2 s k) ->
  same (block_gradients c x L B meets gate_slope dO P1 dS1 dSU1 A1 i j)
       (block_gradients c x L B meets gate_slope dO P2 dS2 dSU2 A2 i j).
Proof.
  intros H HA. unfold block_gradients. repeat apply same_plus.
  - intros t k. simpl. repeat split; apply rows_of_ext; intros Ht; inside; apply range_ext;
      intros r Hr.
    + now destruct (H t r Ht Hr) as (_ & -> & _).
    + now destruct (H r t Hr Ht) as (_ & -> & _).
    + now destruct (H r t Hr Ht) as (-> & _ & _).
  - destruct (Nat.eqb_spec i j) as [_|Hij]; [apply same_refl|]. intros t k. simpl.
    repeat split; apply rows_of_ext; intros Ht; inside; apply range_ext; intros r Hr.
    destruct (H t r Ht Hr) as (_ & _ & ->). now rewrite HA.
  - destruct (meets j i); [|apply same_refl]. apply same_plus.
    + assert (HT : forall t r, (start i <= t < start (S i))%nat ->
        masked tril (fun t r => \sum_(start j <= s < start (S j)) dSU1 t s * G s r) t r =
        masked tril (fun t r => \sum_(start j <= s < start (S j)) dSU2 t s * G s r) t r).
      { intros t r Ht. unfold masked. destruct (tril t r); [|reflexivity].
        apply range_ext. intros s Hs. now destruct (H t s Ht Hs) as (_ & _ & ->). }
      intros t k. simpl. repeat split; apply rows_of_ext; intros Ht; inside; apply range_ext;
        intros r Hr; f_equal; now apply HT.
    + apply through_gates_ext. intros s r Hs Hr. apply range_ext. intros t Ht.
      now destruct (H t s Ht Hs) as (_ & _ & ->).
Qed.

Lemma update_gradients_ext (dD1 dD2 : nat -> nat -> K) j e :
  (forall s k, (start j <= s < start (S j))%nat -> dD1 s k = dD2 s k) ->
  same (update_gradients c x L B meets gate_slope dD1 j e)
       (update_gradients c x L B meets gate_slope dD2 j e).
Proof.
  intros H. unfold update_gradients. destruct (meets j e); [|apply same_refl]. apply same_plus.
  - intros t k. simpl. repeat split; apply rows_of_ext; intros Ht; apply range_ext; intros s Hs.
    now rewrite H.
  - apply through_gates_ext. intros s r Hs Hr. apply dot_ext. intros k _. split; [now apply H|reflexivity].
Qed.

(* ---- the run adds up block contributions of dense quantities ------------------------------------ *)

Definition contribution (i j : nat) : inputs K :=
  plus (block_gradients c x L B meets gate_slope dO P dS dSU (partial_key c x (start i)) i j)
       (if j <? i then update_gradients c x L B meets gate_slope (later i) j (i - 1) else nothing).

Let keys := backward_keys c x L B meets gate_slope penalty_slope O lse D dO how.

Lemma kept_is_partial_key i j s k :
  (j <= i)%nat -> (start j <= s < start (S j))%nat ->
  kept c x L B meets j i s k = partial_key c x (start i) s k.
Proof.
  intros Hji Hs. unfold kept. induction Hji as [|i Hji IH].
  - rewrite range_zero by (intros; lia). rewrite partial_key_own; trivial. apply Hs.
  - rewrite (range_cat j i (S i)), IH by lia. rewrite (range_one i (S i) i) by lia.
    rewrite partial_key_next.
    destruct (meets j i) eqn:E; [reflexivity|].
    now rewrite (skipped_adds_nothing c x L B meets sound j i s k Hs E).
Qed.

(* before query block i is taken, n = count - 1 - i of them being done *)
Lemma keys_spec j n :
  (j < count)%nat -> (n <= count - j)%nat ->
  (how = by_subtraction -> (n < count - j)%nat ->
     forall s k, (start j <= s < start (S j))%nat ->
     Dj (keys j n) s k = partial_key c x (start (count - 1 - n)) s k) /\
  ((n < count - j)%nat -> forall s k, (start j <= s < start (S j))%nat ->
     dDj (keys j n) s k = later (count - n) s k) /\
  same (gradients (keys j n)) (total n (fun m => contribution (count - 1 - m) j)).
Proof.
  intros Hj. induction n as [|n IH]; intros Hn.
  - split; [|split].
    + intros _ _ s k Hs. simpl. rewrite Nat.sub_0_r. apply D_is_partial_key.
      pose proof (start_le L B (S j)). lia.
    + intros _ s k Hs. simpl. unfold later. rewrite Nat.sub_0_r. rewrite start_count by assumption. rewrite range_zero by (intros; lia). ring.
    + apply same_refl.
  - destruct (IH ltac:(lia)) as (HD & HdD & Hg). clear IH.
    change (keys j (S n)) with
      (backward_block c x L B meets gate_slope penalty_slope O lse dO how (count - S n) j (keys j n)).
    replace (count - 1 - S n)%nat with (count - S n - 1)%nat by lia.
    set (i := (count - S n)%nat) in *.
    replace (count - 1 - n)%nat with i in HD by lia. replace (count - n)%nat with (S i) in HdD by lia.
    assert (Hji : (j <= i)%nat) by lia.
    unfold backward_block.
    set (A := match how with by_subtraction => Dj (keys j n) | by_recomputation => kept c x L B meets j i end).
    assert (HA : forall s k, (start j <= s < start (S j))%nat -> A s k = partial_key c x (start i) s k).
    { intros s k Hs. unfold A. destruct how; [apply HD; trivial; lia|now apply kept_is_partial_key]. }
    set (dD := if i =? j then dDj (keys j n) else fun s k =>
      dDj (keys j n) s k + scale c * \sum_(start i <= t < start (S i))
        block_dSU c x L B penalty_slope O lse dO A i j t s * QC x t k).
    assert (HdD' : (j < i)%nat -> forall s k, (start j <= s < start (S j))%nat -> dD s k = later i s k).
    { intros Hlt s k Hs. unfold dD. destruct (Nat.eqb_spec i j) as [|_]; [lia|].
      rewrite HdD by (trivial; lia). unfold later.
      rewrite (range_cat (start i) (start (S i)) L).
      2: { split; [apply start_mono; lia|apply start_le]. }
      rewrite (range_ext (start i) (start (S i)) _ (fun t => dSU t s * QC x t k)); [ring|].
      intros t Ht. f_equal. apply block_dSU_dense; auto. }
    assert (Hblock : same
      (block_gradients c x L B meets gate_slope dO (block_P c x L B lse A i j)
         (block_dS c x L B O lse dO A i j) (block_dSU c x L B penalty_slope O lse dO A i j) A i j)
      (block_gradients c x L B meets gate_slope dO P dS dSU (partial_key c x (start i)) i j)).
    { apply block_gradients_ext; [|intros _; exact HA]. intros t s Ht Hs. repeat split.
      - apply block_P_dense; auto.
      - apply block_dS_dense; auto.
      - apply block_dSU_dense; auto. }
    assert (Htotal : total (S n) (fun m => contribution (count - 1 - m) j) =
                     plus (total n (fun m => contribution (count - 1 - m) j)) (contribution i j)).
    { simpl. do 2 f_equal. lia. }
    rewrite Htotal. unfold contribution at 2.
    destruct (Nat.ltb_spec j i) as [Hlt|Hge]; cbn [Dj dDj gradients]; (split; [|split]).
    + intros Hhow _ s k Hs. unfold take_back.
      pose proof (partial_key_next c x L B (i - 1) s k) as Hnext.
      replace (S (i - 1)) with i in Hnext by lia.
      destruct (meets j (i - 1)) eqn:E.
      * change (A s k - block_addition c x L B (i - 1) s k = partial_key c x (start (i - 1)) s k).
        rewrite HA, Hnext by assumption. ring.
      * change (A s k = partial_key c x (start (i - 1)) s k). rewrite HA, Hnext by assumption.
        rewrite (skipped_adds_nothing c x L B meets sound j (i - 1) s k Hs E). ring.
    + intros _ s k Hs. now apply HdD'.
    + eapply same_trans; [apply same_plus; [apply same_plus|]|].
      * exact Hg.
      * exact Hblock.
      * apply update_gradients_ext. intros s k Hs. now apply HdD'.
      * apply plus_assoc.
    + lia.
    + lia.
    + eapply same_trans; [apply same_plus; [exact Hg|exact Hblock]|]. apply plus_nothing.
Qed.

(* ---- the six sums of contributions are the dense gradients --------------------------------------- *)

Let result := backward_blockwise c x L B meets gate_slope penalty_slope O lse D dO how.

(* A gradient of the six *)
Definition linear (f : inputs K -> nat -> nat -> K) : Prop :=
  (forall t k, f nothing t k = 0) /\ forall a b t k, f (plus a b) t k = f a t k + f b t k.

Lemma total_linear f n g t k : linear f -> f (total n g) t k = \sum_(m < n) f (g m) t k.
Proof.
  intros [H0 H]. induction n as [|n IH]; simpl total; [apply H0|]. now rewrite H, IH, sum_S.
Qed.

Lemma result_same :
  same result (total count (fun j =>
    total (count - j) (fun m => contribution (count - 1 - m) j))).
Proof.
  unfold result, backward_blockwise.
  assert (H : forall n, (n <= count)%nat ->
    same (total n (fun j => gradients (keys j (count - j))))
         (total n (fun j => total (count - j) (fun m => contribution (count - 1 - m) j)))).
  { induction n as [|n IH]; intros Hn; [apply same_refl|]. simpl. apply same_plus.
    - apply IH. lia.
    - apply keys_spec; lia. }
  now apply H.
Qed.

Lemma sum_of_contributions f t k :
  linear f ->
  f (total count (fun j => total (count - j) (fun m => contribution (count - 1 - m) j))) t k =
  \sum_(j < count) \sum_(j <= i < count) f (contribution i j) t k.
Proof.
  intros Hf. rewrite total_linear by assumption. apply sum_ext. intros j Hj.
  rewrite total_linear by assumption. unfold range_sum.
  rewrite <- (sum_reverse (count - j)). apply sum_ext. intros m Hm. do 2 f_equal. lia.
Qed.

Ltac linear := split; intros; reflexivity.

(* Skipped gates are 0. *)
Lemma mask_skipped j e s r :
  meets j e = false -> (start j <= s < start (S j))%nat -> (start e <= r < start (S e))%nat ->
  allowed c s r = false.
Proof.
  intros Hm Hs Hr. destruct (allowed c s r) eqn:E; [|reflexivity].
  rewrite (sound j e s r) in Hm; try discriminate; trivial; now apply in_block_iff.
Qed.

Lemma G_skipped j e s r :
  meets j e = false -> (start j <= s < start (S j))%nat -> (start e <= r < start (S e))%nat ->
  G s r = 0.
Proof. intros. unfold Theorem1.G, masked. now rewrite (mask_skipped j e). Qed.

Lemma G_zero s r : (r <= s)%nat -> G s r = 0.
Proof.
  intros H. unfold Theorem1.G, masked. destruct (allowed c s r) eqn:E; [|reflexivity].
  apply mask_ahead in E. lia.
Qed.

Lemma P_zero t s : (t < s)%nat -> P t s = 0.
Proof.
  intros H. unfold Theorem1.P, masked, tril. destruct (Nat.leb_spec s t); [lia|reflexivity].
Qed.

Lemma dS_zero t s : (t < s)%nat -> dS t s = 0.
Proof. intros H. unfold Backward.dS. rewrite P_zero by assumption. ring. Qed.

Lemma dSU_zero t s : (t < s)%nat -> dSU t s = 0.
Proof. intros H. unfold Backward.dSU. rewrite dS_zero by assumption. ring. Qed.

Lemma rows_of_in b (A : nat -> nat -> K) t k :
  (start b <= t < start (S b))%nat -> rows_of L B b A t k = A t k.
Proof. intros H. unfold rows_of. now rewrite (proj2 (in_block_iff L B b t) H). Qed.

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
Proof. intros. unfold gated, masked. rewrite (mask_skipped j e) by assumption. ring. Qed.

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

Let t_small : (t < L)%nat.
Proof. pose proof (start_le L B (S b)). lia. Qed.

Let start_b : (start b <= start (S b) <= L)%nat.
Proof. split; [apply start_mono; lia|apply start_le]. Qed.

Let start_last : start count = L.
Proof. apply start_count. assumption. Qed.

(* rows from T_b on *)
Lemma from_block (f : nat -> K) :
  (forall i, (i < start b)%nat -> f i = 0) ->
  \sum_(b <= i < count) \sum_(start i <= r < start (S i)) f r = \sum_(r < L) f r.
Proof.
  intros H. rewrite range_blocks_from by lia. rewrite start_last.
  rewrite <- (range_from_0 L), (range_cat 0 (start b) L) by lia.
  rewrite (range_zero 0 (start b)); [ring|]. intros i Hi. apply H. lia.
Qed.

(* rows up to T_b *)
Lemma up_to_block (f : nat -> K) :
  (forall i, (start (S b) <= i < L)%nat -> f i = 0) ->
  \sum_(j < S b) \sum_(start j <= s < start (S j)) f s = \sum_(s < L) f s.
Proof.
  intros H. rewrite range_blocks; [|reflexivity|intros; apply start_mono; lia].
  symmetry. apply sum_widen; [lia|exact H].
Qed.

Lemma VC_dense : VC result t k = dVC c x L dO t k.
Proof.
  destruct (result_same t k) as (_ & _ & _ & _ & _ & ->).
  rewrite (sum_of_contributions VC) by linear.
  transitivity (\sum_(j < count) \sum_(j <= i < count)
    (if in_block L B j t then \sum_(start i <= r < start (S i)) P r t * dO r k else 0)).
  - apply sum_ext. intros j _. apply range_ext. intros i _. unfold contribution, block_gradients,
      update_gradients. destruct (i =? j), (meets j i), (j <? i), (meets j (i - 1));
      cbn [VC plus nothing through_gates]; unfold rows_of at 1; destruct (in_block L B j t); ring.
  - rewrite (pick_column L B B_positive b) by assumption.
    rewrite from_block; [reflexivity|]. intros r Hr. rewrite P_zero by lia. ring.
Qed.

Lemma KC_dense : KC result t k = dKC c x L dO t k.
Proof.
  destruct (result_same t k) as (_ & _ & _ & _ & -> & _).
  rewrite (sum_of_contributions KC) by linear.
  transitivity (\sum_(j < count) \sum_(j <= i < count)
    (if in_block L B j t
     then scale c * \sum_(start i <= r < start (S i)) dS r t * QC x r k else 0)).
  - apply sum_ext. intros j _. apply range_ext. intros i _. unfold contribution, block_gradients,
      update_gradients. destruct (i =? j), (meets j i), (j <? i), (meets j (i - 1));
      cbn [KC plus nothing through_gates]; unfold rows_of at 1; destruct (in_block L B j t); ring.
  - rewrite (pick_column L B B_positive b) by assumption. rewrite range_mul_l.
    rewrite from_block; [reflexivity|]. intros r Hr. rewrite dS_zero by lia. ring.
Qed.

(* The key of s as query t finds it, by blocks: what came before T_b, and T_b up to t *)
Lemma key_split s :
  partial_key c x (start b) s k +
    \sum_(start b <= r < start (S b) | tril t r) G s r * VU x r k =
  \sum_(r < L | tril t r) G s r * VU x r k.
Proof.
  rewrite <- (range_from_0 L), (range_cat 0 (start b) L), (range_cat (start b) (start (S b)) L)
    by lia.
  rewrite (range_zero (start (S b)) L).
  2: { intros r Hr. unfold tril. destruct (Nat.leb_spec r t); [lia|reflexivity]. }
  rewrite (range_ext 0 (start b) _ (fun r => G s r * VU x r k)).
  2: { intros r Hr. unfold tril. destruct (Nat.leb_spec r t); [reflexivity|lia]. }
  rewrite range_from_0. unfold partial_key. ring.
Qed.

Lemma QC_dense : QC result t k = dQC c x L penalty_slope dO t k.
Proof.
  destruct (result_same t k) as (_ & _ & _ & -> & _ & _).
  rewrite (sum_of_contributions QC) by linear.
  transitivity (\sum_(j < count) \sum_(j <= i < count) (if in_block L B i t then
    scale c * (\sum_(start j <= s < start (S j)) dS t s * KC x s k) +
    (if i =? j then 0 else
       scale c * \sum_(start j <= s < start (S j)) dSU t s * partial_key c x (start i) s k) +
    scale c * \sum_(start i <= r < start (S i) | tril t r)
      (\sum_(start j <= s < start (S j)) dSU t s * G s r) * VU x r k else 0)).
  - apply sum_ext. intros j _. apply range_ext. intros i _.
    unfold contribution, block_gradients, update_gradients.
    assert (HT : \sum_(start i <= r < start (S i))
        masked tril (fun t r => \sum_(start j <= s < start (S j)) dSU t s * G s r) t r * VU x r k =
      \sum_(start i <= r < start (S i) | tril t r)
        (\sum_(start j <= s < start (S j)) dSU t s * G s r) * VU x r k).
    { apply range_ext. intros r _. unfold masked. destruct (tril t r); ring. }
    destruct (meets j i) eqn:E.
    + destruct (i =? j), (j <? i), (meets j (i - 1)); cbn [QC plus nothing through_gates];
        unfold rows_of; destruct (in_block L B i t); rewrite ?HT; ring.
    + rewrite (range_zero (start i) (start (S i)) (fun r => if tril t r then _ else 0)).
      2: { intros r Hr. destruct (tril t r); [|reflexivity]. rewrite range_zero; [ring|].
           intros s Hs. rewrite (G_skipped j i) by assumption. ring. }
      destruct (i =? j), (j <? i), (meets j (i - 1)); cbn [QC plus nothing through_gates];
        unfold rows_of; destruct (in_block L B i t); ring.
  - rewrite (pick_row L B B_positive b) by assumption.
    set (key := fun s => \sum_(r < L | tril t r) G s r * VU x r k).
    rewrite (sum_ext (S b) _ (fun j => \sum_(start j <= s < start (S j))
      scale c * (dS t s * KC x s k + dSU t s * key s))).
    + rewrite up_to_block.
      2: { intros s Hs. rewrite dS_zero, dSU_zero by lia. ring. }
      unfold dQC. rewrite sum_mul_l, sum_add. do 2 f_equal. unfold key.
      rewrite (sum_ext L _ (fun s => \sum_(r < L)
        dSU t s * (if tril t r then G s r * VU x r k else 0))) by (intros; now rewrite sum_mul_l).
      rewrite sum_exchange. apply sum_ext. intros r _. unfold dT1, masked, product.
      destruct (tril t r).
      * rewrite <- sum_mul_r. apply sum_ext. intros s _. ring.
      * rewrite sum_zero; [ring|]. intros s _. ring.
    + intros j Hj. rewrite range_mul_l, range_add.
      assert (Hdiagonal : \sum_(start b <= r < start (S b) | tril t r)
          (\sum_(start j <= s < start (S j)) dSU t s * G s r) * VU x r k =
        \sum_(start j <= s < start (S j))
          dSU t s * (\sum_(start b <= r < start (S b) | tril t r) G s r * VU x r k)).
      { rewrite (range_ext (start j) (start (S j)) _ (fun s =>
          \sum_(start b <= r < start (S b)) dSU t s * (if tril t r then G s r * VU x r k else 0)))
          by (intros; now rewrite range_mul_l).
        rewrite range_exchange. apply range_ext. intros r _. destruct (tril t r).
        - rewrite <- range_mul_r. apply range_ext. intros s _. ring.
        - rewrite range_zero; [reflexivity|]. intros s _. ring. }
      rewrite Hdiagonal.
      rewrite (range_ext (start j) (start (S j)) (fun s => dSU t s * key s) (fun s =>
        dSU t s * partial_key c x (start b) s k +
        dSU t s * (\sum_(start b <= r < start (S b) | tril t r) G s r * VU x r k))).
      2: { intros s Hs. unfold key. rewrite <- key_split. ring. }
      rewrite range_add. destruct (Nat.eqb_spec b j) as [<-|_]; [|ring].
      rewrite (range_zero (start b) (start (S b))
        (fun s => dSU t s * partial_key c x (start b) s k)); [ring|].
      intros s Hs. rewrite partial_key_own by (trivial; lia). ring.
Qed.

(* dSU^T QC over the queries from token r on, by blocks: T_b's, and the later blocks' *)
Lemma later_split s :
  scale c * (\sum_(start b <= q < start (S b) | tril q t) dSU q s * QC x q k) + later (S b) s k =
  scale c * (\sum_(q < L | tril q t) dSU q s * QC x q k).
Proof.
  rewrite <- (range_from_0 L), (range_cat 0 (start b) L), (range_cat (start b) (start (S b)) L)
    by lia.
  rewrite (range_zero 0 (start b)).
  2: { intros q Hq. unfold tril. destruct (Nat.leb_spec t q); [lia|reflexivity]. }
  rewrite (range_ext (start (S b)) L _ (fun q => dSU q s * QC x q k)).
  2: { intros q Hq. unfold tril. destruct (Nat.leb_spec t q); [reflexivity|lia]. }
  unfold later. ring.
Qed.

Lemma later_last s k' : later count s k' = 0.
Proof. unfold later. rewrite start_last, range_zero by (intros; lia). ring. Qed.

Lemma VU_dense : VU result t k = dVU c x L penalty_slope dO t k.
Proof.
  destruct (result_same t k) as (_ & _ & -> & _ & _ & _).
  rewrite (sum_of_contributions VU) by linear.
  transitivity (\sum_(j < count) \sum_(j <= i < count) (if in_block L B i t then
      scale c * \sum_(start i <= q < start (S i) | tril q t)
        (\sum_(start j <= s < start (S j)) dSU q s * G s t) * QC x q k else 0) +
    \sum_(j < count) \sum_(j <= i < count) (if j <? i then if in_block L B (i - 1) t then
      \sum_(start j <= s < start (S j)) G s t * later i s k else 0 else 0)).
  - rewrite <- sum_add. apply sum_ext. intros j _. rewrite <- range_add. apply range_ext.
    intros i _. unfold contribution, block_gradients, update_gradients.
    assert (HT : \sum_(start i <= q < start (S i))
        masked tril (fun t r => \sum_(start j <= s < start (S j)) dSU t s * G s r) q t * QC x q k =
      \sum_(start i <= q < start (S i) | tril q t)
        (\sum_(start j <= s < start (S j)) dSU q s * G s t) * QC x q k).
    { apply range_ext. intros q _. unfold masked. destruct (tril q t); ring. }
    assert (HTskip : meets j i = false -> in_block L B i t = true ->
      \sum_(start i <= q < start (S i) | tril q t)
        (\sum_(start j <= s < start (S j)) dSU q s * G s t) * QC x q k = 0).
    { intros E Hi. apply in_block_iff in Hi. apply range_zero. intros q _.
      destruct (tril q t); [|reflexivity]. rewrite range_zero; [ring|]. intros s Hs.
      rewrite (G_skipped j i) by assumption. ring. }
    assert (HUskip : meets j (i - 1) = false -> in_block L B (i - 1) t = true ->
      \sum_(start j <= s < start (S j)) G s t * later i s k = 0).
    { intros E Hi. apply in_block_iff in Hi. apply range_zero. intros s Hs.
      rewrite (G_skipped j (i - 1)) by assumption. ring. }
    destruct (i =? j), (meets j i), (j <? i), (meets j (i - 1));
      cbn [VU plus nothing through_gates]; unfold rows_of;
      destruct (in_block L B i t), (in_block L B (i - 1) t);
      rewrite ?HT, ?HTskip, ?HUskip by reflexivity; ring.
  - rewrite (pick_row L B B_positive b) by assumption.
    rewrite (pick_updated_row L B B_positive b t (fun i j =>
      \sum_(start j <= s < start (S j)) G s t * later i s k)); trivial.
    2: { intros j. apply range_zero. intros s _. rewrite later_last. ring. }
    rewrite <- sum_add.
    rewrite (sum_ext (S b) _ (fun j => \sum_(start j <= s < start (S j))
      G s t * (scale c * \sum_(q < L | tril q t) dSU q s * QC x q k))).
    + rewrite up_to_block by (intros s Hs; rewrite G_zero by lia; ring).
      unfold dVU. rewrite <- sum_mul_l.
      rewrite (sum_ext L _ (fun s => \sum_(q < L)
        scale c * (if tril q t then G s t * (dSU q s * QC x q k) else 0))).
      2: { intros s _. rewrite <- !sum_mul_l. apply sum_ext. intros q _. destruct (tril q t); ring. }
      rewrite sum_exchange. apply sum_ext. intros q _. rewrite sum_mul_l. f_equal.
      unfold dT1, masked, product. destruct (tril q t).
      * rewrite <- sum_mul_r. apply sum_ext. intros s _. ring.
      * rewrite sum_zero; [ring|]. reflexivity.
    + intros j _.
      assert (Hblock : scale c * (\sum_(start b <= q < start (S b) | tril q t)
          (\sum_(start j <= s < start (S j)) dSU q s * G s t) * QC x q k) =
        \sum_(start j <= s < start (S j)) G s t *
          (scale c * \sum_(start b <= q < start (S b) | tril q t) dSU q s * QC x q k)).
      { rewrite <- range_mul_l.
        rewrite (range_ext (start j) (start (S j)) _ (fun s => \sum_(start b <= q < start (S b))
          scale c * (if tril q t then G s t * (dSU q s * QC x q k) else 0))).
        2: { intros s _. rewrite <- !range_mul_l. apply range_ext. intros q _.
             destruct (tril q t); ring. }
        rewrite range_exchange. apply range_ext. intros q _. rewrite range_mul_l. f_equal.
        destruct (tril q t).
        - rewrite <- range_mul_r. apply range_ext. intros s _. ring.
        - rewrite range_zero; reflexivity. }
      rewrite Hblock, <- range_add. apply range_ext. intros s _. rewrite <- later_split. ring.
Qed.

Lemma QU_dense : QU result t k = dQU c x L gate_slope penalty_slope dO t k.
Proof.
  destruct (result_same t k) as (-> & _ & _ & _ & _ & _).
  rewrite (sum_of_contributions QU) by linear.
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
    + rewrite from_block by (intros r Hr; rewrite dZ_zero by lia; ring).
      apply sum_mul_l.
    + intros e _. unfold near, far. rewrite <- !range_mul_l, <- range_add. apply range_ext.
      intros r Hr. rewrite <- (dZ_split e) by assumption. ring.
Qed.

Lemma KU_dense : KU result t k = dKU c x L gate_slope penalty_slope dO t k.
Proof.
  destruct (result_same t k) as (_ & -> & _ & _ & _ & _).
  rewrite (sum_of_contributions KU) by linear.
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
    + rewrite up_to_block by (intros s Hs; rewrite dZ_zero by lia; ring).
      apply sum_mul_l.
    + intros j _. unfold near, far. rewrite <- !range_mul_l, <- range_add. apply range_ext.
      intros s _. rewrite <- (dZ_split b) by assumption. ring.
Qed.

End Token.

(* Algorithm 3: block by block, the six gradients are the dense ones. *)
Theorem backward_blockwise_is_backward t k :
  (t < L)%nat ->
  let dense := backward c x L gate_slope penalty_slope dO in
  QU result t k = QU dense t k /\ KU result t k = KU dense t k /\ VU result t k = VU dense t k /\
  QC result t k = QC dense t k /\ KC result t k = KC dense t k /\ VC result t k = VC dense t k.
Proof.
  intros Ht dense. destruct (block_of L B B_positive t Ht) as (b & Hb & Htb).
  repeat split; [eapply QU_dense|eapply KU_dense|eapply VU_dense|eapply QC_dense|eapply KC_dense
                |eapply VC_dense]; eassumption.
Qed.

End Proof.

(* Algorithms 1 and 3 one after the other: O, D and any logarithm of e(m) l from the forward sweep *)
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
