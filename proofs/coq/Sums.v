(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Sums.v - numbers and finite sums.
 *
 * States    what a commutative ring is here (any type with the ring laws, equality is Coq's own),
 *           the two sums that every other file is written in, and their laws.
 *             \sum_(i < n) f           f at 0 .. n-1;  \sum_(i < n | P) f  only where P holds
 *             \sum_(a <= i < b) f      f at a .. b-1;  \sum_(a <= i < b | P) f  alike
 * An empty sum is 0. C counterpart: the number systems of ref/systems/, and one entry of a product.
 *)
Require Export Arith Lia Bool Ring_theory.
Require Import Ring.

Record ring := Ring {
  carrier :> Type;
  zero : carrier;
  one : carrier;
  add : carrier -> carrier -> carrier;
  mul : carrier -> carrier -> carrier;
  sub : carrier -> carrier -> carrier;
  opp : carrier -> carrier;
  laws : ring_theory zero one add mul sub opp eq (* commutative; see Coq's Ring_theory *)
}.
Arguments zero {_}.
Arguments one {_}.
Arguments add {_}.
Arguments mul {_}.
Arguments sub {_}.
Arguments opp {_}.

Declare Scope ring_scope.
Delimit Scope ring_scope with K.
Bind Scope ring_scope with carrier.
Notation "0" := zero : ring_scope.
Notation "1" := one : ring_scope.
Infix "+" := add : ring_scope.
Infix "*" := mul : ring_scope.
Infix "-" := sub : ring_scope.
Notation "- x" := (opp x) : ring_scope.

Fixpoint sum {K : ring} (n : nat) (f : nat -> K) : K :=
  match n with
  | O => 0%K
  | S m => (sum m f + f m)%K
  end.

Definition range_sum {K : ring} (a b : nat) (f : nat -> K) : K := sum (b - a) (fun i => f (a +
  i)%nat).

Notation "\sum_( i < n ) F" := (sum n (fun i => F%K))
  (at level 41, F at level 41, i, n at level 50, format "\sum_( i  <  n )  F").
Notation "\sum_( i < n | P ) F" := (sum n (fun i => if P then F%K else 0%K))
  (at level 41, F at level 41, i, n at level 50, format "\sum_( i  <  n  |  P )  F").
Notation "\sum_( a <= i < b ) F" := (range_sum a b (fun i => F%K))
  (at level 41, F at level 41, i, a, b at level 50, format "\sum_( a  <=  i  <  b )  F").
Notation "\sum_( a <= i < b | P ) F" := (range_sum a b (fun i => if P then F%K else 0%K))
  (at level 41, F at level 41, i, a, b at level 50, format "\sum_( a  <=  i  <  b  |  P )  F").

Section Laws.

Context {K : ring}.
Add Ring K_ring : (laws K).
Open Scope ring_scope.

Lemma sum_S n (f : nat -> K) : sum (S n) f = sum n f + f n.
Proof. reflexivity. Qed.

Lemma sum_ext n (f g : nat -> K) : (forall i, (i < n)%nat -> f i = g i) -> sum n f = sum n g.
Proof.
  induction n as [|n IH]; intros H; simpl; [reflexivity|].
  rewrite IH, H; auto.
Qed.

Lemma sum_zero n (f : nat -> K) : (forall i, (i < n)%nat -> f i = 0) -> sum n f = 0.
Proof.
  induction n as [|n IH]; intros H; simpl; [reflexivity|].
  rewrite IH, H by auto. ring.
Qed.

Lemma sum_add n (f g : nat -> K) : sum n (fun i => f i + g i) = sum n f + sum n g.
Proof. induction n as [|n IH]; simpl; [|rewrite IH]; ring. Qed.

Lemma sum_sub n (f g : nat -> K) : sum n (fun i => f i - g i) = sum n f - sum n g.
Proof. induction n as [|n IH]; simpl; [|rewrite IH]; ring. Qed.

Lemma sum_mul_l n a (f : nat -> K) : sum n (fun i => a * f i) = a * sum n f.
Proof. induction n as [|n IH]; simpl; [|rewrite IH]; ring. Qed.

Lemma sum_mul_r n (f : nat -> K) a : sum n (fun i => f i * a) = sum n f * a.
Proof. induction n as [|n IH]; simpl; [|rewrite IH]; ring. Qed.

Lemma sum_exchange m n (f : nat -> nat -> K) :
  sum m (fun i => sum n (fun j => f i j)) = sum n (fun j => sum m (fun i => f i j)).
Proof.
  induction m as [|m IH]; simpl.
  - symmetry. apply sum_zero. reflexivity.
  - rewrite IH, <- sum_add. reflexivity.
Qed.

Lemma sum_cat m n (f : nat -> K) : sum (m + n) f = sum m f + sum n (fun i => f (m + i)%nat).
Proof.
  induction n as [|n IH]; simpl.
  - rewrite Nat.add_0_r. ring.
  - rewrite Nat.add_succ_r. simpl. rewrite IH. ring.
Qed.

(* Terms past n that are 0 may be left out. *)
Lemma sum_widen m n (f : nat -> K) :
  (m <= n)%nat -> (forall i, (m <= i < n)%nat -> f i = 0) -> sum n f = sum m f.
Proof.
  intros Hmn H. replace n with (m + (n - m))%nat by lia.
  rewrite sum_cat, (sum_zero (n - m)); [ring|]. intros i Hi. apply H. lia.
Qed.

(* A sum with one term. *)
Lemma sum_one n i0 (f : nat -> K) :
  (i0 < n)%nat -> (forall i, (i < n)%nat -> i <> i0 -> f i = 0) -> sum n f = f i0.
Proof.
  intros H0 H. rewrite (sum_widen (S i0)) by (intros; try apply H; lia).
  simpl. rewrite sum_zero by (intros; apply H; lia). ring.
Qed.

Lemma range_from_0 n (f : nat -> K) : \sum_(0 <= i < n) f i = sum n f.
Proof. unfold range_sum. rewrite Nat.sub_0_r. reflexivity. Qed.

Lemma range_ext a b (f g : nat -> K) :
  (forall i, (a <= i < b)%nat -> f i = g i) -> \sum_(a <= i < b) f i = \sum_(a <= i < b) g i.
Proof. intros H. apply sum_ext. intros i Hi. apply H. lia. Qed.

Lemma range_zero a b (f : nat -> K) :
  (forall i, (a <= i < b)%nat -> f i = 0) -> \sum_(a <= i < b) f i = 0.
Proof. intros H. apply sum_zero. intros i Hi. apply H. lia. Qed.

Lemma range_cat a b c (f : nat -> K) :
  (a <= b <= c)%nat ->
  \sum_(a <= i < c) f i = \sum_(a <= i < b) f i + \sum_(b <= i < c) f i.
Proof.
  intros H. unfold range_sum. replace (c - a)%nat with ((b - a) + (c - b))%nat by lia.
  rewrite sum_cat. f_equal. apply sum_ext. intros i Hi. f_equal. lia.
Qed.

Lemma range_mul_l a b u (f : nat -> K) :
  \sum_(a <= i < b) (u * f i) = u * \sum_(a <= i < b) f i.
Proof. apply sum_mul_l. Qed.

Lemma range_mul_r a b (f : nat -> K) u :
  \sum_(a <= i < b) (f i * u) = (\sum_(a <= i < b) f i) * u.
Proof. apply sum_mul_r. Qed.

Lemma range_add a b (f g : nat -> K) :
  \sum_(a <= i < b) (f i + g i) = \sum_(a <= i < b) f i + \sum_(a <= i < b) g i.
Proof. apply sum_add. Qed.

Lemma range_exchange a b a' b' (f : nat -> nat -> K) :
  \sum_(a <= i < b) (\sum_(a' <= j < b') f i j) = \sum_(a' <= j < b') (\sum_(a <= i < b) f i j).
Proof. apply sum_exchange. Qed.

Lemma range_one a b i0 (f : nat -> K) :
  (a <= i0 < b)%nat -> (forall i, (a <= i < b)%nat -> i <> i0 -> f i = 0) ->
  \sum_(a <= i < b) f i = f i0.
Proof.
  intros H Hf. unfold range_sum. rewrite (sum_one _ (i0 - a)).
  - f_equal. lia.
  - lia.
  - intros i Hi Hne. apply Hf; lia.
Qed.

(* A range is a masked sum. *)
Lemma range_masked a b n (f : nat -> K) :
  (b <= n)%nat -> \sum_(i < n | (a <=? i) && (i <? b)) f i = \sum_(a <= i < b) f i.
Proof.
  intros Hb. destruct (Nat.le_gt_cases b a) as [Hab|Hab].
  - unfold range_sum. replace (b - a)%nat with 0%nat by lia. simpl. apply sum_zero. intros i Hi.
    destruct (Nat.leb_spec a i), (Nat.ltb_spec i b); simpl; try reflexivity. lia.
  - rewrite <- (range_from_0 n), (range_cat 0 a n) by lia.
    rewrite (range_zero 0 a).
    2: { intros i Hi. destruct (Nat.leb_spec a i); [lia|]. reflexivity. }
    rewrite (range_cat a b n) by lia. rewrite (range_zero b n).
    2: { intros i Hi. destruct (Nat.ltb_spec i b); [lia|]. now rewrite andb_false_r. }
    rewrite (range_ext a b _ f); [ring|].
    intros i Hi. destruct (Nat.leb_spec a i), (Nat.ltb_spec i b); try lia. reflexivity.
Qed.

(* The same terms from the last to the first *)
Lemma sum_reverse n (f : nat -> K) : sum n (fun i => f (n - 1 - i)%nat) = sum n f.
Proof.
  revert f. induction n as [|n IH]; intros f; [reflexivity|].
  rewrite sum_S. change (S n) with (1 + n)%nat at 3. rewrite sum_cat. simpl sum at 2.
  rewrite <- (IH (fun i => f (1 + i)%nat)). replace (S n - 1 - n)%nat with 0%nat by lia.
  rewrite (sum_ext n _ (fun i => f (1 + (n - 1 - i))%nat)); [ring|].
  intros i Hi. f_equal. lia.
Qed.

(* Consecutive ranges make up the whole. *)
Lemma range_blocks (start : nat -> nat) n (f : nat -> K) :
  start 0%nat = 0%nat -> (forall i, (start i <= start (S i))%nat) ->
  sum n (fun b => \sum_(start b <= i < start (S b)) f i) = sum (start n) f.
Proof.
  intros H0 Hmono. induction n as [|n IH].
  - rewrite H0. reflexivity.
  - rewrite sum_S, IH, <- (range_from_0 (start n)), <- (range_from_0 (start (S n))).
    symmetry. apply range_cat. split; [lia|apply Hmono].
Qed.

End Laws.

(* Masks and their conjunctions. *)
Lemma if_and {T : Type} (p q : bool) (a b : T) :
  (if p then if q then a else b else b) = if p && q then a else b.
Proof. destruct p, q; reflexivity. Qed.
