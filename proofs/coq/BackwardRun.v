(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * BackwardRun.v - a run of Algorithm 3 adds up, block by block, contributions of dense quantities.
 *
 * States    inside every block the rebuilt P, dS, dSU are the dense ones, D_j is what (21) says it
 *           is, by subtraction or by recomputation, and dD_j gathers all later queries; so the
 *           run's gradients are a plain sum of contributions. BackwardScores.v and BackwardGates.v
 *           show that this sum is the dense gradients.
 * C file    ref/backward_blockwise.c.
 *)
Require Import Castle.Definitions Castle.Causality Castle.Theorem1 Castle.Blocks
  Castle.OnlineSoftmax Castle.Blockwise Castle.Backward Castle.Algorithm3.
Require Import Ring.

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

(* ---- entrywise equality of six matrices ------------------------------------------------------ *)

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
  - apply through_gates_ext. intros s r Hs Hr. apply dot_ext. intros k _.
    split; [now apply H|reflexivity].
Qed.

(* ---- the run adds up block contributions of dense quantities --------------------------------- *)

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
    + intros _ s k Hs. simpl. unfold later. rewrite Nat.sub_0_r. rewrite start_count by assumption.
      rewrite range_zero by (intros; lia). ring.
    + apply same_refl.
  - destruct (IH ltac:(lia)) as (HD & HdD & Hg). clear IH.
    change (keys j (S n)) with
      (backward_block c x L B meets gate_slope penalty_slope O lse dO how (count - S n) j
        (keys j n)).
    replace (count - 1 - S n)%nat with (count - S n - 1)%nat by lia.
    set (i := (count - S n)%nat) in *.
    replace (count - 1 - n)%nat with i in HD by lia.
    replace (count - n)%nat with (S i) in HdD by lia.
    assert (Hji : (j <= i)%nat) by lia.
    unfold backward_block.
    set (A := match how with by_subtraction => Dj (keys j n) |
      by_recomputation => kept c x L B meets j i end).
    assert (HA : forall s k, (start j <= s < start (S j))%nat -> A s k = partial_key c x
      (start i) s k).
    { intros s k Hs. unfold A. destruct how; [apply HD; trivial; lia|
        now apply kept_is_partial_key]. }
    set (dD := if i =? j then dDj (keys j n) else fun s k =>
      dDj (keys j n) s k + scale c * \sum_(start i <= t < start (S i))
        block_dSU c x L B penalty_slope O lse dO A i j t s * QC x t k).
    assert (HdD' : (j < i)%nat -> forall s k, (start j <= s < start (S j))%nat ->
      dD s k = later i s k).
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

(* Everything that Algorithm 3 adds up *)
Definition contributions : inputs K :=
  total count (fun j => total (count - j) (fun m => contribution (count - 1 - m) j)).

Theorem run_is_contributions :
  same (backward_blockwise c x L B meets gate_slope penalty_slope O lse D dO how) contributions.
Proof.
  unfold backward_blockwise.
  assert (H : forall n, (n <= count)%nat ->
    same (total n (fun j => gradients (keys j (count - j))))
         (total n (fun j => total (count - j) (fun m => contribution (count - 1 - m) j)))).
  { induction n as [|n IH]; intros Hn; [apply same_refl|]. simpl. apply same_plus.
    - apply IH. lia.
    - apply keys_spec; lia. }
  now apply H.
Qed.

End Proof.
