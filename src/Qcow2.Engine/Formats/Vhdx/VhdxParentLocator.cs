using System.Buffers.Binary;
using System.Text;

namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>Where the parent of a differencing disk is ([MS-VHDX] 2.6.2.6): pairs of keys and values.</summary>
internal sealed class VhdxParentLocator
{
    internal const int MinLength = 20;

    private const int MaxPairs = 256;
    private const int PairLength = 12;

    private static readonly Guid VhdxLocatorId = new("b04aefb7-d19e-4a81-b789-25b8e9445913");
    private static readonly Encoding Utf16 = new UnicodeEncoding(bigEndian: false, byteOrderMark: false, throwOnInvalidBytes: true);

    private static readonly string[] LinkageKeys = ["parent_linkage", "parent_linkage2"];

    private readonly Dictionary<string, string> _pairs;

    private VhdxParentLocator(Dictionary<string, string> pairs) => _pairs = pairs;

    /// <summary>Data write GUIDs of which the parent must have one. Windows writes an empty one where it has no second.</summary>
    internal IEnumerable<Guid> Linkages
        => LinkageKeys
            .Select(Value)
            .Where(value => Guid.TryParse(value, out _))
            .Select(value => Guid.Parse(value!))
            .Where(id => id != Guid.Empty);

    /// <summary>Path from the file's folder, with Windows' separators; null if there is none.</summary>
    internal string? RelativePath => Value("relative_path");

    /// <summary>Full path on the machine that made the file; null if there is none.</summary>
    internal string? AbsolutePath => Value("absolute_win32_path");

    /// <summary>Path by the volume's id on the machine that made the file; null if there is none.</summary>
    internal string? VolumePath => Value("volume_path");

    /// <summary>The names of the parent, in the order in which to look ([MS-VHDX] 2.6.2.6.3).</summary>
    internal IReadOnlyList<string> Names => [.. new[] { RelativePath, AbsolutePath, VolumePath }.OfType<string>()];

    /// <summary>Gives the bytes of the item their meaning.</summary>
    /// <exception cref="Qcow2Exception">It is of another kind, or a pair does not lie in it.</exception>
    internal static VhdxParentLocator Parse(ReadOnlySpan<byte> item)
    {
        Guid kind = LittleEndian.ReadGuid(item);
        if (kind != VhdxLocatorId)
        {
            throw Qcow2Errors.Unsupported($"The parent locator is of the kind {kind}, which this version does not know.");
        }

        int count = BinaryPrimitives.ReadUInt16LittleEndian(item.Slice(18));
        if (count > MaxPairs || MinLength + (count * PairLength) > item.Length)
        {
            throw Qcow2Errors.Corrupt($"The parent locator has {count} pairs, which do not fit in its {item.Length} bytes or pass the limit of {MaxPairs}.");
        }

        var pairs = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> pair = item.Slice(MinLength + (i * PairLength), PairLength);
            string key = Text(item, BinaryPrimitives.ReadUInt32LittleEndian(pair), BinaryPrimitives.ReadUInt16LittleEndian(pair.Slice(8)));
            pairs[key] = Text(item, BinaryPrimitives.ReadUInt32LittleEndian(pair.Slice(4)), BinaryPrimitives.ReadUInt16LittleEndian(pair.Slice(10)));
        }

        return new VhdxParentLocator(pairs);
    }

    private static string Text(ReadOnlySpan<byte> item, uint offset, int length)
    {
        if (offset > item.Length - length)
        {
            throw Qcow2Errors.Corrupt($"A text of the parent locator is said to lie at {offset}, {length} bytes long; the locator has {item.Length} bytes.");
        }

        try
        {
            string text = Utf16.GetString(item.Slice((int)offset, length).ToArray());
            return text.IndexOf('\0') < 0 ? text : throw Qcow2Errors.Corrupt($"A text of the parent locator, at {offset}, has a NUL in it.");
        }
        catch (ArgumentException)
        {
            throw Qcow2Errors.Corrupt($"A text of the parent locator, at {offset}, is not UTF-16.");
        }
    }

    private string? Value(string key) => _pairs.TryGetValue(key, out string? value) && value.Length > 0 ? value : null;
}
