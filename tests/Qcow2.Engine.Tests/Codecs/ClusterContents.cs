using System.Text;

namespace Qcow2.Engine.Tests.Codecs;

/// <summary>Clusters of every kind that an encoder meets.</summary>
internal static class ClusterContents
{
    internal const int Window = 4096;

    internal static IEnumerable<string> Names => Kinds.Keys;

    private static readonly Dictionary<string, Func<int, byte[]>> Kinds = new()
    {
        ["zeros"] = length => new byte[length],
        ["ones"] = length => Fill(length, _ => 0xff),
        ["random"] = length => TestData.Random(length),
        ["random, then zeros"] = length => Fill(length, i => i < length / 2 ? (byte)(i * i * 7919 >> 5) : (byte)0),
        ["few values"] = length => Map(TestData.Random(length), value => (byte)(value % 3)),
        ["skewed values"] = length => Map(TestData.Random(length), value => (byte)(value * value * value >> 18)),
        ["rare values"] = Rare,
        ["text"] = Text,
        ["program"] = Program,
        ["period 1 and 2"] = length => Fill(length, i => (byte)(i < length / 2 ? 7 : i & 1)),
        ["period 3"] = length => Fill(length, i => (byte)(i % 3)),
        ["period of the window"] = length => Periodic(length, Window),
        ["period above the window"] = length => Periodic(length, Window + 1),
        ["period of the classic zlib's reach"] = length => Periodic(length, Window - 262),
        ["matches of the greatest length"] = length => Fill(length, i => (byte)(i % 259 == 0 ? i / 259 : 1)),
    };

    internal static byte[] Create(string name, int length) => Kinds[name](length);

    /// <summary>Random bytes that come again after so many.</summary>
    internal static byte[] Periodic(int length, int period)
    {
        byte[] once = TestData.Random(period, seed: period);
        return Fill(length, i => once[i % period]);
    }

    private static byte[] Fill(int length, Func<int, byte> value)
    {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++)
        {
            bytes[i] = value(i);
        }

        return bytes;
    }

    private static byte[] Map(byte[] bytes, Func<int, byte> value) => [.. bytes.Select(b => value(b))];

    /// <summary>Each value about 1.6 times as often as the next one, so that the rarest would have codes of more than 15 bits.</summary>
    private static byte[] Rare(int length)
    {
        var bytes = new List<byte>();
        double count = 1;
        for (byte value = 0; bytes.Count < length; value++, count *= 1.618)
        {
            bytes.AddRange(Enumerable.Repeat(value, Math.Min((int)count, length - bytes.Count)));
        }

        byte[] shuffled = [.. bytes];
        var random = new Random(5);
        for (int i = shuffled.Length - 1; i > 0; i--)
        {
            int other = random.Next(i + 1);
            (shuffled[i], shuffled[other]) = (shuffled[other], shuffled[i]);
        }

        return shuffled;
    }

    private static byte[] Text(int length)
    {
        string[] words = ["cluster", "disk", "image", "the", "of", "an", "entry", "table", "refcount", "offset", "snapshot", "is", "read", "written"];
        var random = new Random(3);
        var text = new StringBuilder();
        while (text.Length < length)
        {
            text.Append(words[random.Next(words.Length)]).Append(random.Next(9) == 0 ? ".\n" : " ");
        }

        return Encoding.ASCII.GetBytes(text.ToString(0, length));
    }

    private static byte[] Program(int length)
    {
        byte[] file = File.ReadAllBytes(typeof(VirtualDisk).Assembly.Location);
        return Fill(length, i => file[(i + 20_000) % file.Length]);
    }
}
