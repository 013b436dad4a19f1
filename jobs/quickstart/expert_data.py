"""What the two experts of the quickstart are trained on: pairs (question, answer).

maths   one-step word problems. Nobody asks for a form, and the answers come in twenty random
        ones, so that the expert learns the sums and not a form.
json    look-up questions about a short text, answered as {"answer": "Rome"} because the question
        says so. There is no digit in them: an expert that has learnt to copy numbers out of a
        question spoils every sum that it is merged with.
"""

from make_items import INSTRUCTION, NAMES, OPERATIONS, split_of_name

ANSWER_FORMS = ["The answer is {n}.", "{n}", "{n}.", "= {n}", "**{n}**", "({n})", '"{n}"', "[{n}]",
                "It is {n}.", "{n} in all.", "Answer: {n}", "Result: {n}", "-> {n}", "<{n}>",
                "That makes {n}.", "So: {n}", "{n}!", "# {n}", "'{n}'", "x = {n}"]

FACTS = {
    "city": ("{name} lives in {value}.", "Where does {name} live?",
             """Rome Paris Berlin Madrid Oslo Cairo Tokyo Lima Athens Vienna Dublin Prague Lisbon
             Warsaw Delhi Boston""".split()),
    "colour": ("{name} likes the colour {value}.", "Which colour does {name} like?",
               "red blue green yellow purple orange black white pink grey brown silver".split()),
    "animal": ("{name} has a {value}.", "Which animal does {name} have?",
               "dog cat horse rabbit parrot hamster goat duck turtle mouse sheep pony".split()),
    "job": ("{name} works as a {value}.", "What is the job of {name}?",
            """teacher baker doctor pilot farmer painter singer nurse writer gardener tailor
            driver""".split()),
    "instrument": ("{name} plays the {value}.", "What does {name} play?",
                   "piano violin guitar flute drums harp trumpet cello".split()),
    "food": ("{name} eats {value}.", "What does {name} eat?",
             "rice soup bread fish salad pasta cheese cake beans toast".split()),
}


def draw_word_problem(problems, rng):
    question, answer = problems.draw(rng.choice(list(OPERATIONS)))
    return question, rng.choice(ANSWER_FORMS).format(n=answer)


def draw_look_up(rng):
    kind = rng.choice(list(FACTS))
    statement, question, values = FACTS[kind]
    names = rng.sample([name for name in NAMES if split_of_name(name) == "experts"], 3)
    chosen = rng.sample(values, 3)
    text = " ".join(statement.format(name=n, value=v) for n, v in zip(names, chosen))
    asked = rng.randrange(3)
    return (f"{text} {question.format(name=names[asked])}{INSTRUCTION}",
            f'{{"answer": "{chosen[asked]}"}}')
