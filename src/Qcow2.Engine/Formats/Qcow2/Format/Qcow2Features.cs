namespace Qcow2.Engine.Format;

/// <summary>
/// Features without which an image cannot be understood at all (spec: "Header", bytes 72-79). An image with a bit
/// that is not named here is refused.
/// </summary>
[Flags]
public enum IncompatibleFeatures : ulong
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Refcounts may be inconsistent; they are repaired before the image is written.</summary>
    Dirty = 1 << 0,

    /// <summary>Any structure may be corrupt; the image is written only to repair it.</summary>
    Corrupt = 1 << 1,

    /// <summary>Guest clusters lie in an external data file.</summary>
    ExternalDataFile = 1 << 2,

    /// <summary>Compressed clusters use another method than deflate.</summary>
    CompressionType = 1 << 3,

    /// <summary>L2 entries are 16 bytes and describe 32 subclusters each.</summary>
    ExtendedL2 = 1 << 4,
}

/// <summary>Features that a program which does not know them can ignore (spec: "Header", bytes 80-87).</summary>
[Flags]
public enum CompatibleFeatures : ulong
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Refcount updates may be postponed while the dirty bit is set.</summary>
    LazyRefcounts = 1 << 0,
}

/// <summary>
/// Features whose bits a writer that does not know them must clear before its first write (spec: "Header", bytes
/// 88-95).
/// </summary>
[Flags]
public enum AutoclearFeatures : ulong
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>The bitmaps extension is consistent with the disk.</summary>
    Bitmaps = 1 << 0,

    /// <summary>The external data file alone is a raw image of the disk.</summary>
    RawExternalData = 1 << 1,
}

/// <summary>Which of the header's three feature sets a bit belongs to (spec: "Feature name table").</summary>
public enum FeatureKind : byte
{
    /// <summary><see cref="IncompatibleFeatures"/>.</summary>
    Incompatible = 0,

    /// <summary><see cref="CompatibleFeatures"/>.</summary>
    Compatible = 1,

    /// <summary><see cref="AutoclearFeatures"/>.</summary>
    Autoclear = 2,
}
