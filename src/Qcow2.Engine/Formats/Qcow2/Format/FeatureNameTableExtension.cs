using Qcow2.Engine.Formats.Qcow2.Format;

namespace Qcow2.Engine.Format;

/// <summary>The name of one feature bit.</summary>
/// <param name="Kind">The feature set the bit is in. A number that the enumeration does not name is kept.</param>
/// <param name="Bit">The bit's number, 0 to 63.</param>
/// <param name="Name">What people call it.</param>
public sealed record FeatureName(FeatureKind Kind, int Bit, string Name)
{
    /// <summary>The name.</summary>
    public override string ToString() => Name;
}

/// <summary>
/// Names for feature bits, so that a program can say which feature it lacks (spec: "Feature name table").
/// </summary>
public sealed class FeatureNameTableExtension : HeaderExtension
{
    /// <summary>Size of an entry, in bytes.</summary>
    public const int EntryLength = 48;

    private const int NameOffset = 2;
    private const int MaxNameLength = EntryLength - NameOffset;

    /// <summary>Creates the extension.</summary>
    /// <param name="features">The names; each at most 46 bytes of UTF-8.</param>
    /// <exception cref="ArgumentException">A name is too long.</exception>
    public FeatureNameTableExtension(IReadOnlyList<FeatureName> features)
        : this(Encode(features), null)
    {
    }

    internal FeatureNameTableExtension(byte[] data, byte[]? padding)
        : base(HeaderExtensionType.FeatureNameTable, data, padding)
        => Features = Decode(data);

    /// <summary>The entries, in their order.</summary>
    public FeatureName[] Features { get; }

    /// <summary>The name of a bit, or null when the table has none for it.</summary>
    public string? Find(FeatureKind kind, int bit)
    {
        foreach (FeatureName feature in Features)
        {
            if (feature.Kind == kind && feature.Bit == bit)
            {
                return feature.Name;
            }
        }

        return null;
    }

    private static FeatureName[] Decode(ReadOnlySpan<byte> data)
    {
        var features = new List<FeatureName>(data.Length / EntryLength);

        // What is left over after the last whole entry names nothing; it is kept in Data.
        for (; data.Length >= EntryLength; data = data.Slice(EntryLength))
        {
            ReadOnlySpan<byte> name = data.Slice(NameOffset, MaxNameLength);
            int end = name.IndexOf((byte)0);
            features.Add(new FeatureName((FeatureKind)data[0], data[1], FormatText.Decode(end < 0 ? name : name.Slice(0, end))));
        }

        return [.. features];
    }

    private static byte[] Encode(IReadOnlyList<FeatureName> features)
    {
        byte[] data = new byte[features.Count * EntryLength];
        for (int i = 0; i < features.Count; i++)
        {
            byte[] name = FormatText.Encode(features[i].Name);
            if (name.Length > MaxNameLength)
            {
                throw new ArgumentException($"The feature name '{features[i].Name}' is longer than {MaxNameLength} bytes.", nameof(features));
            }

            Span<byte> entry = data.AsSpan(i * EntryLength, EntryLength);
            entry[0] = (byte)features[i].Kind;
            entry[1] = (byte)features[i].Bit;
            name.CopyTo(entry.Slice(NameOffset));
        }

        return data;
    }
}
