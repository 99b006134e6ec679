using System.Buffers.Binary;
using System.Text;
using Qcow2.Engine.Formats.Qcow2.Encryption;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

/// <summary>A valid LUKS partition header for tests to damage: aes-256, xts-plain64, sha256, slot 0 active.</summary>
internal sealed class LuksHeaderBytes
{
    internal const long AreaLength = 2068480;
    internal const uint Active = 0x00AC71F3;
    internal const uint Inactive = 0x0000DEAD;

    internal LuksHeaderBytes()
    {
        Convert.FromHexString("4c554b53babe0001").CopyTo(Bytes, 0);
        Text(8, "aes").Text(40, "xts-plain64").Text(72, "sha256").Text(168, "66b1ca6e-457b-45f1-b02f-3e6c478c5522");
        U32(104, (uint)(AreaLength / 512)).U32(108, 64).U32(164, 10416);
        Bytes.AsSpan(112, 20).Fill(0xD1);
        Bytes.AsSpan(132, 32).Fill(0x5A);
        for (int slot = 0; slot < 8; slot++)
        {
            Slot(slot, 0, slot == 0 ? Active : Inactive).Slot(slot, 4, slot == 0 ? 43632u : 0).Slot(slot, 40, 8 + ((uint)slot * 504)).Slot(slot, 44, 4000);
            Bytes.AsSpan(208 + (slot * 48) + 8, 32).Fill((byte)slot);
        }
    }

    internal byte[] Bytes { get; } = new byte[LuksHeader.Size];

    internal LuksHeaderBytes Text(int offset, string text)
    {
        Bytes.AsSpan(offset, 32).Clear();
        Encoding.Latin1.GetBytes(text).CopyTo(Bytes, offset);
        return this;
    }

    internal LuksHeaderBytes U32(int offset, uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(Bytes.AsSpan(offset), value);
        return this;
    }

    internal LuksHeaderBytes Slot(int slot, int offset, uint value) => U32(208 + (slot * 48) + offset, value);

    internal LuksHeader Parse(long areaLength = AreaLength) => LuksHeader.Parse(Bytes, areaLength);
}
