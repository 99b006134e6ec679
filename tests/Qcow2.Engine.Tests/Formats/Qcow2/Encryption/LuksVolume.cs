using System.Text;
using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Tests.Codecs;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

/// <summary>A LUKS header with key material, made here, so that tests of unlocking run without qemu and in no time.</summary>
internal sealed class LuksVolume
{
    private readonly LuksHeaderBytes _header = new();
    private readonly byte[] _area = new byte[LuksHeaderBytes.AreaLength];
    private readonly LuksHash _hash;

    internal LuksVolume(string mode, int keyBytes, string hash)
    {
        _hash = LuksHash.Resolve(hash, "test");
        MasterKey = TestData.Random(keyBytes, seed: 42);
        _header.Text(40, mode).Text(72, hash).U32(108, (uint)keyBytes).U32(164, 7).Slot(0, 0, LuksHeaderBytes.Inactive);
        Pbkdf2.Derive(_hash, MasterKey, _header.Bytes.AsSpan(132, 32), 7, _header.Bytes.AsSpan(112, 20), default);
    }

    internal byte[] MasterKey { get; }

    internal int Reads { get; private set; }

    internal LuksHeader Header => _header.Parse();

    internal LuksHeaderBytes HeaderBytes => _header;

    internal LuksVolume AddSlot(int slot, string passphrase, int iterations = 11)
    {
        _header.Slot(slot, 0, LuksHeaderBytes.Active).Slot(slot, 4, (uint)iterations);
        LuksHeader header = Header;

        byte[] slotKey = new byte[MasterKey.Length];
        Pbkdf2.Derive(_hash, Encoding.UTF8.GetBytes(passphrase), header.KeySlots[slot].Salt, iterations, slotKey, default);
        Span<byte> material = _area.AsSpan((int)header.KeySlots[slot].KeyMaterialOffset, header.KeyMaterialLength);
        Split(MasterKey).CopyTo(material);
        using SectorCipher cipher = LuksCipherSpec.Resolve(header).Create(slotKey);
        cipher.Encrypt(0, material);
        return this;
    }

    internal void Read(long offset, Span<byte> destination)
    {
        Reads++;
        _area.AsSpan((int)offset, destination.Length).CopyTo(destination);
    }

    internal void Damage(int slot) => _area[Header.KeySlots[slot].KeyMaterialOffset + 100_000] ^= 1;

    internal SectorCipher Unlock(string passphrase, CancellationToken token = default)
    {
        using var given = Passphrase.FromString(passphrase);
        return LuksUnlocker.Unlock(Header, Read, given, token);
    }

    // Random stripes, then one that completes them to the key.
    private byte[] Split(byte[] key)
    {
        byte[] stripes = TestData.Random(key.Length * LuksHeader.Stripes, seed: 43);
        Span<byte> last = stripes.AsSpan(^key.Length..);
        last.Clear();
        byte[] completion = new byte[key.Length];
        AntiForensicSplit.Merge(stripes, _hash, completion);
        SectorSpan.Xor(completion, key, last);
        return stripes;
    }
}
