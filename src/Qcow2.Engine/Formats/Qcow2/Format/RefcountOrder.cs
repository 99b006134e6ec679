using System.Buffers.Binary;

namespace Qcow2.Engine.Format;

/// <summary>
/// The width of a refcount block's entries (spec: "Host cluster management"): 2 to the power of the order bits, 1 to 64.
/// </summary>
public readonly record struct RefcountOrder
{
    /// <summary>The order of every version 2 image and QEMU's default: 16 bits.</summary>
    public static RefcountOrder Default { get; } = new(4);

    /// <summary>Creates an order.</summary>
    /// <param name="order">0 to 6.</param>
    /// <exception cref="ArgumentOutOfRangeException">Any other number.</exception>
    public RefcountOrder(int order)
    {
        if (order is < 0 or > Qcow2Limits.MaxRefcountOrder)
        {
            throw new ArgumentOutOfRangeException(nameof(order), order, "A refcount order is 0 to 6.");
        }

        Order = order;
    }

    /// <summary>The header's <c>refcount_order</c>.</summary>
    public int Order { get; }

    /// <summary>Bits a count has: 1, 2, 4, 8, 16, 32 or 64.</summary>
    public int Bits => 1 << Order;

    /// <summary>The largest count the width can hold.</summary>
    public ulong MaxValue => Order == 6 ? ulong.MaxValue : (1UL << Bits) - 1;

    /// <summary>Counts that one refcount block holds.</summary>
    /// <param name="clusterSize">The image's cluster size, in bytes.</param>
    public int EntriesPerBlock(int clusterSize) => (int)((long)clusterSize * 8 >> Order);

    /// <summary>Reads one count. Widths below a byte lie least significant bits first.</summary>
    /// <param name="block">The refcount block as it lies in the file.</param>
    /// <param name="index">Which count.</param>
    public ulong Read(ReadOnlySpan<byte> block, int index) => Order switch
    {
        < 3 => (ulong)(block[(index << Order) >> 3] >> ((index << Order) & 7)) & MaxValue,
        3 => block[index],
        4 => BinaryPrimitives.ReadUInt16BigEndian(block.Slice(index * 2)),
        5 => BinaryPrimitives.ReadUInt32BigEndian(block.Slice(index * 4)),
        _ => BinaryPrimitives.ReadUInt64BigEndian(block.Slice(index * 8)),
    };

    /// <summary>Writes one count.</summary>
    /// <param name="block">The refcount block as it lies in the file.</param>
    /// <param name="index">Which count.</param>
    /// <param name="count">The count; at most <see cref="MaxValue"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The count does not fit the width.</exception>
    public void Write(Span<byte> block, int index, ulong count)
    {
        if (count > MaxValue)
        {
            throw new ArgumentOutOfRangeException(nameof(count), count, $"A refcount of {Bits} bits is at most {MaxValue}.");
        }

        switch (Order)
        {
            case < 3:
                int shift = (index << Order) & 7;
                ref byte cell = ref block[(index << Order) >> 3];
                cell = (byte)((cell & ~((int)MaxValue << shift)) | ((int)count << shift));
                break;
            case 3:
                block[index] = (byte)count;
                break;
            case 4:
                BinaryPrimitives.WriteUInt16BigEndian(block.Slice(index * 2), (ushort)count);
                break;
            case 5:
                BinaryPrimitives.WriteUInt32BigEndian(block.Slice(index * 4), (uint)count);
                break;
            default:
                BinaryPrimitives.WriteUInt64BigEndian(block.Slice(index * 8), count);
                break;
        }
    }
}
