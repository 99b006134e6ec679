namespace Qcow2.Engine.Format;

/// <summary>The kinds of header extension (spec: "Header extensions"). Other numbers are unknown extensions.</summary>
public enum HeaderExtensionType : uint
{
    /// <summary>Ends the extension area.</summary>
    End = 0x0000_0000,

    /// <summary>Name of the backing file's format.</summary>
    BackingFormat = 0xe279_2aca,

    /// <summary>Names of feature bits.</summary>
    FeatureNameTable = 0x6803_f857,

    /// <summary>Where the bitmap directory lies.</summary>
    Bitmaps = 0x2385_2875,

    /// <summary>Where the LUKS header lies.</summary>
    EncryptionHeader = 0x0537_be77,

    /// <summary>Name of the external data file.</summary>
    DataFileName = 0x4441_5441,
}
