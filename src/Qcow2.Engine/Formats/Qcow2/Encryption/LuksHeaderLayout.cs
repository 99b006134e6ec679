namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>Where the fields of the LUKS partition header lie, and what they may hold.</summary>
/// <remarks>"LUKS On-Disk Format Specification", version 1.2.3, section 2.1.</remarks>
internal static class LuksHeaderLayout
{
    internal const int VersionOffset = 6;
    internal const int CipherNameOffset = 8;
    internal const int CipherModeOffset = 40;
    internal const int HashSpecOffset = 72;
    internal const int PayloadOffsetOffset = 104;
    internal const int KeyBytesOffset = 108;
    internal const int DigestOffset = 112;
    internal const int DigestSaltOffset = 132;
    internal const int DigestIterationsOffset = 164;
    internal const int UuidOffset = 168;
    internal const int KeySlotsOffset = 208;

    internal const int NameLength = 32;
    internal const int DigestLength = 20;
    internal const int SaltLength = 32;
    internal const int UuidLength = 40;

    internal const int KeySlotSize = 48;
    internal const int SlotIterationsOffset = 4;
    internal const int SlotSaltOffset = 8;
    internal const int SlotMaterialOffset = 40;
    internal const int SlotStripesOffset = 44;

    internal const uint SlotActive = 0x00AC71F3;
    internal const uint SlotInactive = 0x0000DEAD;

    internal const ushort Version = 1;

    internal static ReadOnlySpan<byte> Magic => [(byte)'L', (byte)'U', (byte)'K', (byte)'S', 0xBA, 0xBE];
}
