"""The 21 objects of the reference taxonomy as bodies of solids and sheets, one file for each family.

A phantom is one draw of its class's parameters. Everything is drawn from the generator that `build` is given, so the
same generator state gives the same specimen; scanned again, only pose, position and noise differ.

What makes a class hard is its neighbours. `difficulty` pulls the members of a group towards what they share, and
widens the spread within each class. The groups, and what still tells their members apart:

- apple, mandarin, potato, mango, egg: round things of one size. An apple has a dimple at each end and five seed pockets
  with seeds; a mandarin segments, a hollow axis and a gap under the peel; a potato is even inside and uneven outside;
  a mango has a large flat stone with air in it; an egg a bright rim of chalk, no structure but air at the blunt end.
- tulip bulb, garlic, chestnut, walnut: drops and balls of four centimetres. Scales lie around one another in the bulb,
  cloves around a stem in garlic; a chestnut's kernel fills its thin shell, a walnut's is lobed, with a partition and
  air around it.
- tree ear, shiitake: heaps of fungi, fresh or dried. Thin folded bowls, against thick caps with gills and a stem.
- sausage, ginseng, chilli pepper: long, curved, tapering. Meat with grains of fat, casing and clips; a forked root with
  rootlets and a knotty neck; hollow pods with seeds and a stalk.
- dracaena, fruit tree sapling: woody stems with leaves. Thick canes with strap leaves, or jointed ones in a bunch; a
  thin branching stem with a graft above a ball of roots in soil.
- pork rib, cheese, honey, stag beetle and soybean stand apart: bones in meat; an even mass with holes or a rind; a jar
  with a level; an insect in a box; a bag of beans. Their difficulty is variety: racks and chopped pieces; wedges,
  blocks and wheels; round, square and plastic jars.

Small things come as a portion (a handful of nuts, a bag of beans, the beetle's box): that portion is the specimen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from xqdata.simulate.phantoms.beans import soybean
from xqdata.simulate.phantoms.beetle import stag_beetle
from xqdata.simulate.phantoms.bulbs import garlic, tulip_bulb
from xqdata.simulate.phantoms.dairy import cheese, egg
from xqdata.simulate.phantoms.draws import Draw
from xqdata.simulate.phantoms.fruit import apple, mandarin, mango
from xqdata.simulate.phantoms.fungi import shiitake_mushroom, tree_ear_mushroom
from xqdata.simulate.phantoms.honey import honey
from xqdata.simulate.phantoms.meat import pork_rib, sausage
from xqdata.simulate.phantoms.nuts import chestnut, walnut
from xqdata.simulate.phantoms.phantom import Phantom, centred
from xqdata.simulate.phantoms.plants import dracaena, fruit_tree_sapling
from xqdata.simulate.phantoms.roots import ginseng
from xqdata.simulate.phantoms.vegetables import chilli_pepper, potato

__all__ = ["OBJECTS", "Phantom", "build"]

OBJECTS: dict[str, Callable[[Draw], Phantom]] = {
    "dracaena": dracaena,
    "fruit_tree_sapling": fruit_tree_sapling,
    "tulip_bulb": tulip_bulb,
    "ginseng": ginseng,
    "apple": apple,
    "mango": mango,
    "mandarin": mandarin,
    "chilli_pepper": chilli_pepper,
    "potato": potato,
    "garlic": garlic,
    "chestnut": chestnut,
    "walnut": walnut,
    "soybean": soybean,
    "tree_ear_mushroom": tree_ear_mushroom,
    "shiitake_mushroom": shiitake_mushroom,
    "sausage": sausage,
    "pork_rib": pork_rib,
    "cheese": cheese,
    "egg": egg,
    "honey": honey,
    "stag_beetle": stag_beetle,
}


def build(object: str, rng: np.random.Generator, difficulty: float = 0.5) -> Phantom:
    """One specimen of an object of the reference taxonomy.

    `difficulty`: 0, typical examples only, to 1, those of a confusable group overlap heavily (see above). Raises
    KeyError for other objects and ValueError for other difficulties.
    """
    phantom = OBJECTS[object](Draw(rng, difficulty))
    return replace(phantom, body=centred(phantom.body))
