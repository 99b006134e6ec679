namespace Qcow2.Tests;

/// <summary>Types of header extensions, from the specification.</summary>
public static class ExtensionType
{
    public const uint End = 0;
    public const uint BackingFormat = 0xe2792aca;
    public const uint FeatureNames = 0x6803f857;
    public const uint Bitmaps = 0x23852875;
    public const uint CryptHeader = 0x0537be77;
    public const uint DataFile = 0x44415441;
}
