using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Formats.Qcow2.Encryption;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

/// <summary>The same vector for every sector, for published vectors that no sector number yields.</summary>
internal sealed class FixedIvGenerator(byte[] iv) : IvGenerator
{
    internal override void Fill(ulong firstSector, byte[] buffer, int offset, int sectors)
    {
        for (int i = 0; i < sectors; i++)
        {
            iv.CopyTo(buffer, offset + (i * IvSize));
        }
    }

    public override void Dispose()
    {
    }
}
